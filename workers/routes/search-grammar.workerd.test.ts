import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import { directChannelSchema, fileSearchPageSchema, peopleSearchPageSchema, searchPageSchema } from '../../protocol/api.ts';
import { commandResultSchema } from '../../protocol/frames.ts';
import { bodyOf, drained, expectProblem, newCaller, newChannel, onPostgres, send, type Caller } from '../api-fixture.ts';

let [ada, bob]: Caller[] = [];
let open: { readonly id: string; readonly name: string };
let closed: { readonly id: string; readonly name: string };
const messages: Record<string, string> = {};
const last: Record<string, number> = {};

/** Folds what there is into the indexes, as `search-indexer` does. */
const index = (...more: string[]) => onPostgres(async (db) => {
  await db.execute(sql`
    INSERT INTO search_messages (id, channel_id, author_id, seq, text) SELECT m.id, m.channel_id, m.author_id, m.seq, m.text FROM messages m
    WHERE m.channel_id IN (${sql.join([open.id, closed.id, ...more].map((id) => sql`${id}`), sql`, `)}) ON CONFLICT (id) DO NOTHING`);
  await db.execute(sql`
    INSERT INTO search_people (id, handle, display_name, version, deactivated) SELECT u.id, u.handle, u.display_name, u.version, false FROM users u ON CONFLICT (id) DO NOTHING`);
  await db.execute(sql`
    INSERT INTO search_files (id, channel_id, uploader_id, name, version) SELECT f.id, f.channel_id, f.uploader_id, f.name, f.version FROM files f ON CONFLICT (id) DO NOTHING`);
});

async function write(author: Caller, channelId: string, name: string, text: string, more: object = {}): Promise<void> {
  const { message_id, seq } = await send(author, channelId, text, more);
  messages[name] = message_id;
  last[channelId] = seq ?? 0;
}

const find = async (q: string, caller = ada as Caller, more: Record<string, string> = {}) =>
  bodyOf(await caller.call('GET', `/v1/search/messages?${new URLSearchParams({ q, ...more })}`), 200, searchPageSchema);
const texts = async (q: string, caller = ada as Caller) => (await find(q, caller)).data.map(({ message }) => message.text);

beforeAll(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
  [open, closed] = [await newChannel(ada), await newChannel(ada, 'private')];
  await bob?.call('PUT', `/v1/channels/${open.id}/members/me`);
  const [a, b] = [ada as Caller, bob as Caller];
  await write(a, open.id, 'plain', 'loom one');
  await write(b, open.id, 'link', 'loom two, see https://looms.test/2');
  await write(a, open.id, 'reply', 'loom three', { thread_id: messages['plain'] });
  await write(a, closed.id, 'secret', 'loom four');
  await write(a, open.id, 'edited', 'loom five');
  const edited = await a.call('PATCH', `/v1/channels/${open.id}/messages/${messages['edited']}`, { text: 'loom five, again' });
  const reacted = await a.call('PUT', `/v1/channels/${open.id}/messages/${messages['link']}/reactions/${encodeURIComponent('👍')}`);
  last[open.id] = Math.max(bodyOf(edited, 200, commandResultSchema).seq ?? 0, bodyOf(reacted, 200, commandResultSchema).seq ?? 0);
  for (const [channelId, seq] of Object.entries(last)) await drained(channelId, seq);
  await index();
}, 60_000);

describe('operators', () => {
  it.each(['on:9999-12-31', 'after:9999', 'before:9999-12-31T23:59-05:00', 'after:0001-01-01T00:00+14:00'])('take times at the ends of the calendar, of messages and of files: %s', async (date) => {
    const found = await find(`loom ${date}`);
    expect([found.hints, found.data.length]).toEqual([[], date.startsWith('before') || date.endsWith('+14:00') ? 5 : 0]);
    const files = bodyOf(await (ada as Caller).call('GET', `/v1/search/files?${new URLSearchParams({ q: `loom ${date}` })}`), 200, fileSearchPageSchema);
    expect([files.hints, files.data]).toEqual([[], []]);
  });

  it('narrow a search by who, where and what', async () => {
    expect(await texts('loom')).toHaveLength(5);
    expect(await texts(`loom from:@${bob?.user.handle}`)).toEqual(['loom two, see https://looms.test/2']);
    expect(await texts('loom from:me in:#' + open.name)).toEqual(['loom five, again', 'loom three', 'loom one']);
    expect(await texts(`loom -from:me -in:${closed.name.toUpperCase()}`)).toEqual(['loom two, see https://looms.test/2']);
    expect(await texts(`loom from:${ada?.user.id} in:${closed.id}`)).toEqual(['loom four']);
    expect(await texts('loom has:link')).toEqual(await texts('loom has:reaction'));
    expect(await texts('loom is:edited')).toEqual(['loom five, again']);
    expect(await texts('loom is:thread')).toEqual(['loom three', 'loom one']);
    expect(await texts('loom has:file')).toEqual([]);
    expect(await texts('in:' + closed.name)).toEqual(['loom four']);
    expect(await texts('from:me -loom')).toEqual([]);
  });

  it('narrow it to days of UTC', async () => {
    const all = (await find('loom')).data.map(({ message }) => message);
    const newest = all[0]?.created_at ?? '';
    const [day, next] = [0, 1].map((days) => new Date(Date.parse(newest) + days * 86_400_000).toISOString().slice(0, 10));
    // All of one day, but where midnight came between.
    const [during, before] = [true, false].map((isThen) => all.filter(({ created_at }) => created_at.startsWith(day ?? '') === isThen).map(({ text }) => text));
    expect(all).toHaveLength(5);
    expect([await texts(`loom on:${day}`), await texts(`loom before:${day}`)]).toEqual([during, before]);
    expect(await texts(`loom before:${next} after:2020`)).toHaveLength(5);
    expect([await texts(`loom after:${day}`), await texts('loom on:1969')]).toEqual([[], []]);
  });

  it('that make no sense are said so, and do no harm', async () => {
    const { data, hints } = await find('loom has:nothing form:ada');
    expect([data.length, hints.map(({ code, range }) => [code, range])]).toEqual([0, [['bad_value', [5, 16]], ['unknown_operator', [17, 25]]]]);
    expect((await find('loom on:2026-02-31')).hints).toMatchObject([{ code: 'bad_value' }]);
    expectProblem(await (ada as Caller).call('GET', '/v1/search/messages?q=has%3Anothing'), 'invalid');
    expectProblem(await (ada as Caller).call('GET', '/v1/search/messages?q=-loom'), 'invalid');
  });

  it('G5: name what one may not know of as if it were not there', async () => {
    expect(await texts(`loom in:${closed.name}`, bob)).toEqual(await texts(`loom in:no-such-channel`, bob));
    expect(await texts('loom', bob)).toHaveLength(4);
    const lone = await newCaller();
    expect([await texts('loom', lone), await texts('lo', lone), await texts(`in:${open.id}`, lone)]).toEqual([[], [], []]);
  });

  it('G8: one and two letters, and conditions alone, are found and paged', async () => {
    expect(await texts('lo')).toHaveLength(5);
    const first = await find('l', ada, { limit: '2' });
    const second = await find('l', ada, { limit: '2', cursor: first.next_cursor ?? '' });
    const third = await find('l', ada, { limit: '2', cursor: second.next_cursor ?? '' });
    expect([first, second, third].flatMap(({ data }) => data.map(({ message }) => message.text))).toEqual(await texts('loom'));
    expect(third.next_cursor).toBeNull();
    expect(await texts('%')).toEqual([]);
    expect(await texts('from:me', ada)).toHaveLength(4);
  });
});

describe('the lag of the index', () => {
  it('counts what of the caller\'s own channels is not taken over', async () => {
    await onPostgres((db) => db.execute(sql`DELETE FROM consumer_keys WHERE key IN (${open.id}, ${closed.id})`));
    expect((await find('loom')).index_lag.events).toBe(6);
    expect((await find('loom', bob)).index_lag.events).toBe(5);
    await onPostgres((db) => db.execute(sql`
      INSERT INTO consumer_keys (group_id, topic, key, position) SELECT 'search-indexer', 'message.events', e.key, max(e.position) FROM event_log e
      WHERE e.key IN (${open.id}, ${closed.id}) AND e.type LIKE 'colink.message.%' GROUP BY e.key`));
    // A reaction came after the last of them, which the index does not read.
    expect((await find('loom')).index_lag).toEqual({ events: 0, seconds: 0 });
  });
});

describe('people', () => {
  const search = async (q: string, caller = ada as Caller, more: Record<string, string> = {}) =>
    bodyOf(await caller.call('GET', `/v1/search/people?${new URLSearchParams({ q, ...more })}`), 200, peopleSearchPageSchema);
  const named = async (name: string, handle = `${name.toLowerCase().replaceAll(/\W/g, '-')}-${uuidv7().slice(-6)}`) => {
    const caller = await newCaller();
    await onPostgres((db) => db.execute(sql`UPDATE users SET display_name = ${name}, handle = ${handle} WHERE id = ${caller.user.id}`));
    await index();
    return { ...caller, handle };
  };

  it('are found by parts of their names, beginnings first, and paged', async () => {
    const [first, second] = [await named('Quorum Smith'), await named('Anna Requorum')];
    const { data } = await search('quorum');
    expect(data.map(({ user }) => user.id)).toEqual([first.user.id, second.user.id]);
    expect(data[0]?.highlights.display_name).toEqual([[0, 6]]);
    const page = await search('QUORUM', ada, { limit: '1' });
    expect((await search('QUORUM', ada, { limit: '1', cursor: page.next_cursor ?? '' })).data.map(({ user }) => user.id)).toEqual([second.user.id]);
    expect((await search('@quorum smi')).data).toHaveLength(1);
    expect((await search('quo%m')).data).toEqual([]);
    expectProblem(await (ada as Caller).call('GET', '/v1/search/people?q=%20'), 'invalid');
    expectProblem(await (ada as Caller).call('GET', `/v1/search/people?q=x&cursor=${page.next_cursor}`), 'bad_cursor');
  });

  it('G5: not once they are deactivated, and by guests only those of their channels', async () => {
    const person = await named('Zebulon Ny');
    const guest = await newCaller({ role: 'guest' });
    expect([(await search('zebulon')).data.length, (await search('zebulon', guest)).data.length]).toEqual([1, 0]);
    for (const { user } of [person, guest]) {
      await onPostgres((db) => db.execute(sql`INSERT INTO members (channel_id, user_id, version) VALUES (${closed.id}, ${user.id}, 99)`));
    }
    expect((await search('zebulon', guest)).data).toHaveLength(1);
    await onPostgres((db) => db.execute(sql`UPDATE users SET deactivated_at = now() WHERE id = ${person.user.id}`));
    expect((await search('zebulon')).data).toEqual([]);
  });
});

describe('files', () => {
  const search = async (q: string, caller = ada as Caller) =>
    bodyOf(await caller.call('GET', `/v1/search/files?${new URLSearchParams({ q })}`), 200, fileSearchPageSchema);
  const upload = (channelId: string, uploader: Caller, name: string, status: string) => onPostgres((db) => db.execute(sql`
    INSERT INTO files (id, channel_id, uploader_id, name, media_type, size, sha256, status, created_at)
    VALUES (${uuidv7()}, ${channelId}, ${uploader.user.id}, ${name}, 'application/pdf', 7, ${'0'.repeat(64)}, ${status}, now())`));

  it('G5: are found by their names, where the caller is a member, once they are clean and until they are deleted', async () => {
    const [a, b] = [ada as Caller, bob as Caller];
    await upload(open.id, b, 'Jacquard plan.pdf', 'clean');
    await upload(closed.id, a, 'jacquard secret.pdf', 'clean');
    await upload(open.id, a, 'jacquard virus.pdf', 'infected');
    await index();
    const names = async (q: string, caller = a) => (await search(q, caller)).data.map(({ file }) => file.name);
    expect(await names('jacquard')).toEqual(['jacquard secret.pdf', 'Jacquard plan.pdf']);
    expect(await names('jacquard', b)).toEqual(['Jacquard plan.pdf']);
    expect(await names(`jacquard from:me`)).toEqual(['jacquard secret.pdf']);
    expect(await names(`jacquard -secret on:${new Date().toISOString().slice(0, 10)}`)).toEqual(['Jacquard plan.pdf']);
    expect([await names('jacquard before:2020'), await names(`in:${closed.name}`, b)]).toEqual([[], []]);
    expect((await search('jacquard has:reaction')).hints).toMatchObject([{ code: 'of_messages_only' }]);
    expect((await search('jacquard plan')).data[0]?.highlights).toEqual([[0, 8], [9, 13]]);
    await onPostgres((db) => db.execute(sql`UPDATE files SET deleted_at = now() WHERE name = 'Jacquard plan.pdf'`));
    expect(await names('jacquard', b)).toEqual([]);
  });
});

describe('direct channels', () => {
  const direct: Record<string, string> = {};
  let cleo: Caller;

  beforeAll(async () => {
    cleo = await newCaller();
    const [a, b] = [ada as Caller, bob as Caller];
    const openWith = async (caller: Caller, ...others: Caller[]) => {
      const opened = await caller.call('POST', '/v1/direct-channels', { user_ids: others.map(({ user }) => user.id) });
      return bodyOf(opened, 201, directChannelSchema).id;
    };
    for (const [name, author, others] of [['to bob', a, [b]], ['to cleo', a, [cleo]], ['to both', a, [b, cleo]], ['to myself', a, []], ['to one another', b, [cleo]]] as const) {
      const id = await openWith(author, ...others);
      direct[name] = id;
      const { seq } = await send(author, id, `heddle ${name}`);
      await drained(id, seq ?? 0);
    }
    const { seq } = await send(a, open.id, 'heddle to all');
    await drained(open.id, seq ?? 0);
    await index(...Object.values(direct));
  }, 60_000);

  it('G5: are found as such, by whom they are with, among one\'s own alone', async () => {
    const [bobs, cleos] = [bob?.user.handle, cleo.user.handle];
    const found = async (q: string, caller = ada) => (await texts(`heddle ${q}`, caller)).map((text) => text.slice('heddle '.length)).toSorted();
    const own = ['to both', 'to cleo', 'to bob', 'to myself'].toSorted();
    expect(await found('is:dm')).toEqual(own);
    expect(await found('-is:dm')).toEqual(['to all']);
    expect(await found(`in:@${bobs}`)).toEqual(['to bob']);
    expect(await found(`in:@${bob?.user.id} in:@ME`)).toEqual(['to bob', 'to myself']);
    expect(await found(`in:@${bobs?.toUpperCase()} in:${open.name}`)).toEqual(['to all', 'to bob']);
    expect(await found(`-in:@${bobs}`)).toEqual(['to all', 'to both', 'to cleo', 'to myself']);
    expect(await found(`with:@${bobs}`)).toEqual(['to bob', 'to both']);
    expect(await found(`with:${bobs} with:${cleos}`)).toEqual(['to both']);
    expect(await found(`is:dm -with:${bobs}`)).toEqual(['to cleo', 'to myself']);
    expect([await found('in:@nobody-of-this-name'), await found('with:nobody-of-this-name')]).toEqual([[], []]);
    // Whom others talk to is not told, to members of one of their channels neither.
    expect(await found(`in:@${cleos}`, bob)).toEqual(['to one another']);
    expect(await found(`with:${ada?.user.handle}`, cleo)).toEqual(['to both', 'to cleo']);
    const lone = await newCaller();
    expect([await found('is:dm', lone), await found(`with:${bobs}`, lone), await found(`in:@${bobs}`, lone), await found(`in:${direct['to bob']}`, lone)]).toEqual([[], [], [], []]);
  });

  it('are asked of files, too', async () => {
    for (const channelId of [direct['to bob'], open.id]) {
      await onPostgres((db) => db.execute(sql`
        INSERT INTO files (id, channel_id, uploader_id, name, media_type, size, sha256, status, created_at)
        VALUES (${uuidv7()}, ${channelId}, ${ada?.user.id}, ${`heddle ${channelId === open.id ? 'open' : 'direct'}.pdf`}, 'application/pdf', 7, ${'0'.repeat(64)}, 'clean', now())`));
    }
    await index();
    const names = async (q: string) => bodyOf(await (ada as Caller).call('GET', `/v1/search/files?${new URLSearchParams({ q: `heddle ${q}` })}`), 200, fileSearchPageSchema).data.map(({ file }) => file.name);
    expect([await names('is:dm'), await names('-is:dm'), await names(`in:@${bob?.user.handle}`), await names(`with:${cleo.user.handle}`)]).toEqual([['heddle direct.pdf'], ['heddle open.pdf'], ['heddle direct.pdf'], []]);
  });
});
