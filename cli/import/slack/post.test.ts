import { describe, expect, it } from 'vitest';
import { problemDocument } from '../../../protocol/errors.ts';
import { MAX_TEXT } from '../../../protocol/limits.ts';
import { RefusedError } from '../api.ts';
import type { ImportedMessage } from '../batches.ts';
import { importedParts } from './message.ts';
import { ConversationPoster } from './post.ts';
import { daySchema } from './schema.ts';
import { translate } from './text.ts';

const names = { user: (id: string) => ({ U01: 'ada', U02: 'Bob' })[id] ?? id, channel: (id: string) => ({ C01: 'general' })[id] ?? id };
const messages = (...given: readonly object[]) => daySchema.parse(given.map((one) => ({ type: 'message', user: 'U01', ...one })));
const parts = (one: object) => messages({ ts: '1767225600.000200', ...one }).flatMap((message) => importedParts('C01', message, names));

/** A room that knows ids, and refuses one that comes with another text. */
function room() {
  const known = new Map<string, ImportedMessage>();
  const batches: number[] = [];
  return {
    known,
    batches,
    async postBatch(_: string, batch: readonly ImportedMessage[]) {
      if (batch.some(({ client_msg_id, text }) => (known.get(client_msg_id)?.text ?? text) !== text)) throw new RefusedError(422, problemDocument({ code: 'idempotency_mismatch' }));
      batches.push(batch.length);
      return batch.map((one) => {
        if (one.thread_id !== undefined && ![...known.keys()].includes(one.thread_id.slice(3))) throw new Error('a reply before its root');
        const changed = !known.has(one.client_msg_id);
        known.set(one.client_msg_id, one);
        return { message_id: `id-${one.client_msg_id}`, seq: 1, pos: 1, thread_id: null, tpos: null, at: '2026-01-01T00:00:00.000Z', changed };
      });
    },
  };
}

async function post(api: ReturnType<typeof room>, given: ReturnType<typeof messages>) {
  const poster = new ConversationPoster(api, 'channel', 'C01', names);
  for (const one of given) await poster.add(one);
  await poster.flush();
  return poster.posted;
}

describe('mrkdwn', () => {
  it.each([
    ['<@U02>: hi', '@Bob: hi'],
    ['<@U99|old>', '@U99'],
    ['<#C01> <#C09|else>', '#general #else'],
    ['<!here> <!channel> <!everyone>', '@here @channel @channel'],
    ['<!subteam^S1|@crew> <!date^1^{date}|today>', '@crew today'],
    ['<https://a.example> <https://a.example|here> <mailto:a@b.example|a@b.example>', 'https://a.example here (https://a.example) a@b.example'],
    ['1 &lt; 2 &amp;&amp; 3 &gt; 2, &amp;lt; <https://a.example/?a=1&amp;b=2>', '1 < 2 && 3 > 2, &lt; https://a.example/?a=1&b=2'],
    ['a < b, *bold* `<@U02>`', 'a < b, *bold* `@Bob`'],
  ])('%s', (mrkdwn, text) => {
    expect(translate(mrkdwn, names)).toBe(text);
  });
});

describe('a message', () => {
  it('bears who said it and when', () => {
    expect(parts({ text: 'hi' })).toEqual([{ client_msg_id: 'slack-C01-1767225600.000200', text: 'hi', origin: { source: 'slack', author: 'ada', sent_at: '2026-01-01T00:00:00.000Z' } }]);
    expect(parts({ user: 'U77', user_profile: { real_name: 'Eve' }, text: 'x' })[0]?.origin?.author).toBe('Eve');
    expect(parts({ user: null, bot_profile: { name: 'ci' }, text: 'x' })[0]?.origin?.author).toBe('ci');
    expect(parts({ user: null, username: 'é'.repeat(100), text: 'x' })[0]?.origin?.author).toHaveLength(80);
  });

  it('that nobody said, or that says nothing, is left out', () => {
    for (const one of [{ subtype: 'channel_join', text: 'x' }, { subtype: 'tombstone', text: 'x' }, { text: '' }, { text: ' \n' }, {}]) expect(parts(one)).toEqual([]);
  });

  it('is parted where it is too long, and cleaned of what cannot be stored', () => {
    expect(parts({ text: `a\u0000b\ud800` })[0]?.text).toBe('ab\ufffd');
    const long = parts({ text: `${'👍'.repeat(MAX_TEXT / 2 + 10)}` });
    expect(long.map(({ client_msg_id }) => client_msg_id.slice(-2))).toEqual(['00', '-2']);
    expect(long.map(({ text }) => text.isWellFormed() && text.length <= MAX_TEXT)).toEqual([true, true]);
    expect(long.map(({ text }) => text).join('')).toBe('👍'.repeat(MAX_TEXT / 2 + 10));
  });
});

describe('a conversation', () => {
  const thread = messages(
    { ts: '1.000001', thread_ts: '1.000001', text: 'root' },
    { ts: '1.000002', thread_ts: '1.000001', text: 'reply' },
    { ts: '1.000003', thread_ts: '0.5', text: 'whose root is gone' },
    { ts: '1.000004', text: 'last' },
  );

  it('is posted in order, replies behind their roots, and a second time nothing is added (G2)', async () => {
    const api = room();
    expect(await post(api, thread)).toEqual({ posted: 4, added: 4, changed: 0 });
    expect([...api.known.values()].map(({ text, thread_id }) => [text, thread_id])).toEqual([
      ['root', undefined], ['reply', 'id-slack-C01-1.000001'], ['whose root is gone', undefined], ['last', undefined],
    ]);
    expect(await post(api, thread)).toEqual({ posted: 4, added: 0, changed: 0 });
  });

  it('goes in batches that the API takes (G8)', async () => {
    const api = room();
    await post(api, messages(...Array.from({ length: 450 }, (_, n) => ({ ts: `2.${String(n).padStart(6, '0')}`, text: 'x' }))));
    expect(api.batches).toEqual([200, 200, 50]);
    const large = room();
    await post(large, messages(...Array.from({ length: 150 }, (_, n) => ({ ts: `3.${String(n).padStart(6, '0')}`, text: '東'.repeat(9_000) }))));
    expect(Math.max(...large.batches)).toBeLessThan(60);
  });

  it('of which a message was edited since an earlier import has the others, and says how many it left', async () => {
    const api = room();
    await post(api, thread.slice(0, 2));
    expect(await post(api, thread.map((one) => (one.text === 'reply' ? { ...one, text: 'edited' } : one)))).toEqual({ posted: 3, added: 2, changed: 1 });
  });
});
