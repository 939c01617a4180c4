import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CLOSE_CODES, closeReason, closeRule, reconnectWindow } from './close-codes.ts';
import { ERRORS, errorCodes, fieldErrors, problemDocument, problemSchema } from './errors.ts';
import { channelEventSchema } from './events.ts';
import { clientFrameSchema, inboxClientFrameSchema, inboxServerFrameSchema, serverFrameSchema } from './frames.ts';
import { MAX_TEXT } from './limits.ts';
import { clientMsgIdSchema, emojiSchema, textSchema } from './primitives.ts';

/**
 * The wire is a promise to clients that are already out there. When this hash changes, either the change is one that old clients
 * bear (new optional field, new event type) and the hash is written anew here, or `SUBPROTOCOL` goes up.
 */
const WIRE_HASH = '91b3e76d35435d7f';

describe('the wire', () => {
  it('is the one of colink.v1 (P46)', () => {
    const schemas = [clientFrameSchema, serverFrameSchema, inboxClientFrameSchema, inboxServerFrameSchema].map((schema) => z.toJSONSchema(schema, { unrepresentable: 'any' }));
    const wire = JSON.stringify([schemas, CLOSE_CODES]);
    expect(createHash('sha256').update(wire).digest('hex').slice(0, 16)).toBe(WIRE_HASH);
  });

  it('still reads every released shape of every event, and writes it back unchanged', () => {
    const fixtures = z.array(z.unknown()).parse(JSON.parse(readFileSync(new URL('./fixtures/channel-events.v1.json', import.meta.url), 'utf8')));
    const seen = fixtures.map((fixture) => {
      const event = channelEventSchema.parse(fixture);
      expect(event).toEqual(fixture);
      return event.type;
    });
    expect(new Set(seen)).toEqual(new Set(channelEventSchema.options.map((option) => option.shape.type.value)));
  });

  it('refuses unknown fields in frames (P45)', () => {
    expect(clientFrameSchema.safeParse({ type: 'ack', seq: 1, extra: true }).success).toBe(false);
  });

  it('lets no socket claim an import origin', () => {
    const send = { type: 'send', id: '1', client_msg_id: 'c', text: 'x', origin: { source: 'irc', author: 'a', sent_at: '2004' } };
    expect(clientFrameSchema.safeParse(send).success).toBe(false);
  });
});

describe('text', () => {
  it.each([
    ['blank', '  \n '],
    ['with NUL', 'a\u0000b'],
    ['with a lone surrogate', 'a\ud83d'],
    ['longer than the limit', 'x'.repeat(MAX_TEXT + 1)],
  ])('%s is refused', (_, text) => {
    expect(textSchema.safeParse(text).success).toBe(false);
  });

  it('of any script and at the limit is taken as it is', () => {
    for (const text of ['東京 👩‍👩‍👧 e\u0301', 'x'.repeat(MAX_TEXT), ' leading']) expect(textSchema.parse(text)).toBe(text);
  });

  it('refuses ids that are not visible ASCII and emoji with white space', () => {
    expect(clientMsgIdSchema.safeParse('a b').success).toBe(false);
    expect(clientMsgIdSchema.safeParse('x'.repeat(65)).success).toBe(false);
    expect(emojiSchema.safeParse('👍 ').success).toBe(false);
  });
});

describe('errors', () => {
  it('make problem documents of their own schema (P47)', () => {
    for (const code of errorCodes) {
      const document = problemDocument({ code, detail: 'why', retry_after: 1 }, 'r-1');
      expect(problemSchema.parse(document)).toEqual(document);
      expect(document.status).toBe(ERRORS[code].status);
    }
  });

  it('point at fields by RFC 6901', () => {
    const failed = z.object({ 'a/b': z.object({ '~': z.array(z.number()) }) }).safeParse({ 'a/b': { '~': ['x'] } });
    expect(failed.error && fieldErrors(failed.error).map((error) => error.pointer)).toEqual(['/a~1b/~0/0']);
  });
});

describe('close codes', () => {
  it('treat an unknown code as an abnormal close (P37)', () => {
    expect(closeRule(4999)).toEqual(CLOSE_CODES[1006]);
    expect(closeRule(4003).reconnect).toBe(false);
  });

  it('carry the window of a reconnect in their reason (P39)', () => {
    expect(reconnectWindow(closeReason('the room was restarted', 12_000))).toBe(12_000);
    expect(reconnectWindow(closeReason('the room was restarted', 0))).toBeNull();
    expect(reconnectWindow('within=abc')).toBeNull();
  });
});
