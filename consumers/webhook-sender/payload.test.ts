import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { webhookEventTypeSchema, webhookPayloadSchema } from '../../protocol/webhooks.ts';
import { decode } from '../runtime/decode.ts';
import { webhookSender } from './group.ts';
import { bodyOf, rowOf } from './payload.ts';

const RECORDS = new URL('../../protocol/fixtures/records/', import.meta.url);
const recordSchema = z.strictObject({ key: z.string(), headers: z.record(z.string(), z.string()), value: z.string() });
const group = webhookSender({ now: () => new Date(), onBacklogged: () => {} });

/** What endpoints get of every record ever released that this group reads. */
const bodies = group.topics.flatMap((topic) =>
  readdirSync(RECORDS)
    .filter((file) => file.startsWith(`${topic}.v`))
    .flatMap((file) => z.array(recordSchema).parse(JSON.parse(readFileSync(new URL(file, RECORDS), 'utf8'))))
    .flatMap(({ key, headers, value }) => {
      const decoded = decode(group, { topic, partition: 0, offset: '0', key: Buffer.from(key), value: Buffer.from(value), headers });
      const row = decoded.kind === 'event' ? rowOf(decoded.key, decoded.event) : null;
      return row === null || decoded.kind !== 'event' ? [] : [{ row, body: bodyOf({ ...row, data: { ...row.data, ...('text' in decoded.event && { text: decoded.event.text }) } }) }];
    }),
);

describe('the payloads of webhooks', () => {
  it('are as they were released: a line there is never changed nor taken away, but fields may be added', async () => {
    const released = `${JSON.stringify(bodies.map(({ body }) => JSON.parse(body) as unknown), null, 2)}\n`;
    await expect(released).toMatchFileSnapshot('../../protocol/fixtures/webhook-payloads.v1.json');
  });

  it('are there for every type of event, and match their schema', () => {
    const payloads = bodies.map(({ body }) => webhookPayloadSchema.parse(JSON.parse(body)));
    expect(new Set(payloads.map(({ type }) => type))).toEqual(new Set(webhookEventTypeSchema.options));
    expect(payloads.filter(({ data }) => typeof data['channel_id'] !== 'string')).toEqual([]);
    expect(payloads.filter(({ data }) => 'type' in data || 'at' in data || 'origin' in data)).toEqual([]);
  });

  it('are kept without what a message says', () => {
    const texts = bodies.flatMap(({ row }) => ('text' in row.data ? [[row.type, row.data.text]] : []));
    expect(texts).toEqual(expect.arrayContaining([['message.created', ''], ['message.edited', '']]));
    expect(texts.filter(([, text]) => text !== '')).toEqual([]);
  });

  it('are of nothing that was imported', () => {
    const base = { id: 'e', seq: 1, at: '2026-11-26T12:00:00.000Z', actor_id: 'a', type: 'message.created', message_id: 'm', client_msg_id: 'c', text: 't', pos: 1, thread_id: null, tpos: null } as const;
    expect(rowOf('c', { ...base, origin: null })).toMatchObject({ channel_id: 'c', subject_id: 'm' });
    expect(rowOf('c', { ...base, origin: { source: 'irc', author: 'x', sent_at: '2004' } })).toBeNull();
  });
});
