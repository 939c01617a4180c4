import { sql } from 'drizzle-orm';
import { beforeAll, describe, expect, it } from 'vitest';
import { searchPageSchema } from '../../protocol/api.ts';
import { bodyOf, drained, expectProblem, newCaller, newChannel, onPostgres, send, type Caller } from '../api-fixture.ts';

let ada: Caller;
let id: string;

/** Folds a channel's messages into the index, as `search-indexer` does. */
const index = (channelId: string) => onPostgres((db) => db.execute(sql`
  INSERT INTO search_messages (id, channel_id, author_id, seq, text) SELECT m.id, m.channel_id, m.author_id, m.seq, m.text FROM messages m
  WHERE m.channel_id = ${channelId} ON CONFLICT (id) DO NOTHING`));

async function write(author: Caller, channelId: string, texts: readonly string[]): Promise<string[]> {
  const sent = [];
  for (const text of texts) sent.push(await send(author, channelId, text));
  await drained(channelId, sent.at(-1)?.seq ?? 0);
  await index(channelId);
  return sent.map(({ message_id }) => message_id);
}

const search = async (query: Record<string, string>, caller = ada) => {
  const answer = await caller.call('GET', `/v1/search/messages?${new URLSearchParams(query)}`);
  return bodyOf(answer, 200, searchPageSchema);
};
const found = async (q: string) => (await search({ q })).data.map(({ message, highlights }) => [message.text, ...highlights.map(([start, end]) => message.text.slice(start, end))]);

beforeAll(async () => {
  ada = await newCaller();
  ({ id } = await newChannel(ada));
  await write(ada, id, ['The quick brown fox', 'a fox, quick', '我住在東京都', '100% sure_thing', 'xylophones 👋', 'zebra one', 'zebra two', 'zebra three']);
});

describe('search', () => {
  it('finds words, phrases and alternatives, newest first, and marks them', async () => {
    expect(await found('FOX')).toEqual([['a fox, quick', 'fox'], ['The quick brown fox', 'fox']]);
    expect(await found('"quick brown"')).toEqual([['The quick brown fox', 'quick brown']]);
    expect(await found('fox -brown')).toEqual([['a fox, quick', 'fox']]);
    expect(await found('brown or 東京')).toEqual([['我住在東京都', '東京'], ['The quick brown fox', 'brown']]);
  });

  it('finds substrings and takes no character for a pattern', async () => {
    expect(await found('ylopho')).toEqual([['xylophones 👋', 'ylopho']]);
    expect(await found('👋')).toEqual([['xylophones 👋', '👋']]);
    expect(await found('100%')).toEqual([['100% sure_thing', '100']]);
    for (const nothing of ['q%k', 'z_bra', 'ox\\', "'; DROP TABLE users; --"]) expect(await found(nothing)).toEqual([]);
  });

  it('pages, for its own query only', async () => {
    const first = await search({ q: 'zebra', limit: '2' });
    const second = await search({ q: 'zebra', limit: '2', cursor: first.next_cursor ?? '' });
    expect([...first.data, ...second.data].map(({ message }) => message.text)).toEqual(['zebra three', 'zebra two', 'zebra one']);
    expect([second.next_cursor, first.users]).toEqual([null, [ada.user]]);
    expectProblem(await ada.call('GET', `/v1/search/messages?q=fox&cursor=${first.next_cursor}`), 'bad_cursor');
  });

  it('G5: shows what the caller is a member of, at this moment', async () => {
    const bob = await newCaller();
    const hits = async () => (await search({ q: 'zebra' }, bob)).data.length;
    expect(await hits()).toBe(0);
    await bob.call('PUT', `/v1/channels/${id}/members/me`);
    expect(await hits()).toBe(3);
    expect((await search({ q: 'zebra', channel: (await newChannel(bob)).id }, bob)).data).toEqual([]);
    await bob.call('DELETE', `/v1/channels/${id}/members/me`);
    expect(await hits()).toBe(0);
  });

  it('never shows what is deleted, however late the index is', async () => {
    const [message] = await write(ada, id, ['secret word']);
    expect(await found('secret')).toHaveLength(1);
    const answer = await ada.call('DELETE', `/v1/channels/${id}/messages/${message}`);
    await drained(id, (answer.body as { seq: number }).seq);
    expect(await found('secret')).toEqual([]);
  });
});
