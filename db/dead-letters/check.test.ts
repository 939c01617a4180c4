import { randomUUID } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TOPICS, type Topic } from '../../protocol/topics.ts';
import { created } from '../../tests/support/event-log.ts';
import { faultsOf, type KeptRecord } from './check.ts';

const event = created(1, 'a secret text');
const good: KeptRecord = {
  key: Buffer.from(randomUUID()),
  value: Buffer.from(JSON.stringify(event)),
  headers: { ce_type: 'colink.message.created.v1', log_position: '7' },
};

const fixtureSchema = z.array(z.object({ key: z.string(), headers: z.record(z.string(), z.string()), value: z.string() }));
/** Every record ever released, by topic. */
const released = (Object.keys(TOPICS) as Topic[]).map((topic) => ({
  topic,
  records: globSync(`protocol/fixtures/records/${topic}.v*.json`).flatMap((file) => fixtureSchema.parse(JSON.parse(readFileSync(file, 'utf8')))),
}));

describe('faults of a record', () => {
  it.each(released)('has none of all that was ever released on $topic', ({ topic, records }) => {
    for (const { key, headers, value } of records) expect(faultsOf(topic, { key: Buffer.from(key), value: Buffer.from(value), headers })).toEqual([]);
  });

  it('has none where a group would take it', () => {
    expect(faultsOf('message.events', good)).toEqual([]);
  });

  it.each<[string, Partial<KeptRecord>, RegExp]>([
    ['a null key', { key: null }, /key is not a UUID/],
    ['a key with NUL', { key: Buffer.from([0]) }, /key is not a UUID/],
    ['no position', { headers: { ce_type: 'colink.message.created.v1' } }, /log_position/],
    ['a header twice', { headers: { ce_type: ['colink.message.created.v1', 'x'], log_position: '7' } }, /ce_type is missing/],
    ['an unknown major version', { headers: { ce_type: 'colink.message.created.v9', log_position: '7' } }, /ce_type is not colink\.message\.created\.v1/],
    ['another type', { headers: { ce_type: 'colink.message.deleted.v1', log_position: '7' } }, /ce_type is not colink\.message\.created\.v1/],
    ['a type of another topic', { headers: { ce_type: 'colink.user.updated.v1', log_position: '7' } }, /ce_type is one of user\.events/],
    ['a null value', { value: null }, /value is null/],
    ['bad JSON', { value: Buffer.from('{"a secret text') }, /not UTF-8 JSON/],
    ['no UTF-8', { value: Buffer.from([0x22, 0xff, 0x22]) }, /not UTF-8 JSON/],
    ['NUL in a text', { value: Buffer.from(JSON.stringify({ ...event, text: 'a secret text\0' })) }, /\/text must be well-formed/],
    ['a missing field', { value: Buffer.from(JSON.stringify({ ...event, pos: undefined })) }, /\/pos/],
    ['an event nobody knows', { value: Buffer.from('{"type":"message.sung"}') }, /\/type/],
  ])('names %s, and never the value', (_, change, fault) => {
    const faults = faultsOf('message.events', { ...good, ...change });
    expect(faults.join('\n')).toMatch(fault);
    expect(faults.join('\n')).not.toContain('secret');
  });
});
