import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import { batchResultSchema, messagePageSchema, messageSchema, type MessagePage } from '../../protocol/api.ts';
import { commandResultSchema } from '../../protocol/frames.ts';
import { bodyOf, drained, expectProblem, newCaller, newChannel, newToken, send, type Caller } from '../api-fixture.ts';

let ada: Caller;
let bob: Caller;
let id: string;
let messages: string;
beforeAll(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
  ({ id } = await newChannel(ada));
  messages = `/v1/channels/${id}/messages`;
  await bob.call('PUT', `/v1/channels/${id}/members/me`);
});

describe('sending', () => {
  it('G2: a repetition is answered as the first, and sends nothing', async () => {
    const body = { client_msg_id: 'once', text: 'hello' };
    const first = await ada.call('POST', messages, body);
    expect(first.headers.get('location')).toBe(`${messages}/${bodyOf(first, 201, commandResultSchema).message_id}`);
    const again = await ada.call('POST', messages, body);
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect([first, again].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true']);
    expectProblem(await ada.call('POST', messages, { ...body, text: 'other' }), 'idempotency_mismatch');
  });

  it('G2: twenty concurrent duplicates are one message', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ada.call('POST', messages, { client_msg_id: 'twenty', text: 'x' })));
    expect(new Set(answers.map((answer) => bodyOf(answer, 201, commandResultSchema).message_id)).size).toBe(1);
    expect(answers.filter(({ headers }) => !headers.has('idempotency-replayed'))).toHaveLength(1);
  });

  it('G2: takes the id from Idempotency-Key, where the body has none', async () => {
    const post = (key: string) => ada.call('POST', messages, { text: 'keyed' }, { 'Idempotency-Key': key });
    const [bare, quoted] = [await post('key-of-mine'), await post('"key-of-mine"')];
    expect(quoted.body).toEqual(bare.body);
    expectProblem(await post('x'.repeat(65)), 'invalid');
  });

  it('is for members: 403 in a public channel, 404 in an unknown one', async () => {
    const carol = await newCaller();
    expectProblem(await carol.call('POST', messages, { client_msg_id: 'x', text: 'x' }), 'not_a_member');
    expectProblem(await carol.call('POST', `/v1/channels/${uuidv7()}/messages`, { client_msg_id: 'x', text: 'x' }), 'not_found');
  });
});

describe('editing, deleting, reacting', () => {
  it('changes a message, which reads show once it is stored', async () => {
    const { message_id } = await send(ada, id, 'frist');
    const path = `${messages}/${message_id}`;
    bodyOf(await ada.call('PATCH', path, { text: 'first' }), 200, commandResultSchema);
    expectProblem(await bob.call('PATCH', path, { text: 'mine' }), 'forbidden');
    for (const [caller, emoji] of [[bob, '👍'], [ada, '👍'], [ada, 'tada']] as const) {
      expect(bodyOf(await caller.call('PUT', `${path}/reactions/${encodeURIComponent(emoji)}`), 200, commandResultSchema).changed).toBe(true);
    }
    expect(bodyOf(await bob.call('PUT', `${path}/reactions/${encodeURIComponent('👍')}`), 200, commandResultSchema).changed).toBe(false);
    const last = bodyOf(await ada.call('DELETE', `${path}/reactions/tada`), 200, commandResultSchema);
    await drained(id, last.seq ?? 0);
    expect(bodyOf(await bob.call('GET', path), 200, messageSchema)).toMatchObject({
      text: 'first', revision: 2, author_id: ada.user.id, reactions: [{ emoji: '👍', user_ids: [bob.user.id, ada.user.id] }],
    });
    const removed = bodyOf(await ada.call('DELETE', path), 200, commandResultSchema);
    await drained(id, removed.seq ?? 0);
    expect(bodyOf(await bob.call('GET', path), 200, messageSchema)).toMatchObject({ text: '', deleted_at: removed.at });
  });

  it('404 for a message that is not there', async () => {
    for (const [method, path, body] of [['PATCH', '', { text: 'x' }], ['DELETE', ''], ['PUT', '/reactions/x'], ['GET', ''], ['GET', '/replies']] as const) {
      expectProblem(await ada.call(method, `${messages}/${uuidv7()}${path}`, body), 'not_found');
    }
  });
});

describe('importing', () => {
  it('takes a batch whole, in order, once, and only with its scope', async () => {
    const importer = await newToken(ada.user, { scopes: ['messages:import'], kind: 'bot' });
    const origin = { source: 'irc', author: 'crimsun', sent_at: '2004-12-25T09:14' };
    const batch = { messages: ['a', 'b', 'c'].map((text) => ({ client_msg_id: `import-${text}`, text, origin })) };
    const path = `/v1/channels/${id}/message-batches`;
    expectProblem(await ada.call('POST', path, batch), 'forbidden');
    const { data } = bodyOf(await importer.call('POST', path, batch), 201, batchResultSchema);
    expect(data.map(({ pos }) => (pos ?? 0) - (data[0]?.pos ?? 0))).toEqual([0, 1, 2]);
    expect(bodyOf(await importer.call('POST', path, batch), 201, batchResultSchema).data).toMatchObject(data.map(({ message_id }) => ({ message_id, changed: false })));
    expectProblem(await importer.call('POST', path, { messages: [] }), 'invalid');
  });
});

describe('history', () => {
  let reader: Caller;
  let path: string;
  let ids: string[];
  const page = async (query: string) => bodyOf(await reader.call('GET', `${path}${query}`), 200, messagePageSchema);
  const texts = ({ data }: MessagePage) => data.map(({ text }) => text).join('');

  beforeAll(async () => {
    reader = await newCaller();
    const channel = await newChannel(reader);
    path = `/v1/channels/${channel.id}/messages`;
    ids = [];
    let seq = 0;
    for (const text of 'abcdefg') {
      const sent = await send(reader, channel.id, text);
      ids.push(sent.message_id);
      seq = sent.seq ?? 0;
    }
    for (const text of ['r1', 'r2', 'r3']) seq = (await send(reader, channel.id, text, { thread_id: ids[1] })).seq ?? 0;
    await drained(channel.id, seq);
  });

  it('G3: pages in both directions without a gap or a repetition', async () => {
    const newest = await page('?limit=3');
    expect([texts(newest), newest.after_cursor, newest.as_of_seq, newest.users]).toEqual(['efg', null, 10, [reader.user]]);
    const middle = await page(`?limit=3&before=${newest.before_cursor}`);
    expect(texts(middle)).toBe('bcd');
    const oldest = await page(`?limit=3&before=${middle.before_cursor}`);
    expect([texts(oldest), oldest.before_cursor]).toEqual(['a', null]);
    expect(texts(await page(`?limit=3&after=${oldest.after_cursor}`))).toBe('bcd');
    const end = await page(`?after=${middle.after_cursor}`);
    expect([texts(end), end.after_cursor]).toEqual(['efg', null]);
  });

  it('goes to a place: a message, a reply, a pos', async () => {
    expect(texts(await page(`?around=${ids[3]}&limit=3`))).toBe('cde');
    expect(texts(await page('?around=4&limit=2'))).toBe('cd');
    expect(texts(await page('?around=1&limit=3'))).toBe('ab');
    const reply = (await page(`/${ids[1]}/replies`)).data[0]?.id;
    expect(texts(await page(`?around=${reply}&limit=1`))).toBe('b');
    expectProblem(await reader.call('GET', `${path}?around=${uuidv7()}`), 'not_found');
    for (const query of ['?around=x', `?around=1&before=x`, '?before=x&after=y']) expectProblem(await reader.call('GET', path + query), 'invalid');
  });

  it('says where to go on', async () => {
    const { headers } = await reader.call('GET', `${path}?around=4&limit=1`);
    const links = headers.get('link') ?? '';
    for (const [rel, expected] of [['prev', 'c'], ['next', 'e']] as const) {
      const link = new RegExp(`<([^>]+)>; rel="${rel}"`).exec(links)?.[1] ?? '';
      expect(texts(bodyOf(await reader.call('GET', link), 200, messagePageSchema))).toBe(expected);
    }
  });

  it('pages a thread by itself, and counts its replies', async () => {
    const replies = `/${ids[1]}/replies`;
    const newest = await page(`${replies}?limit=2`);
    expect([texts(newest), newest.after_cursor]).toEqual(['r2r3', null]);
    expect(texts(await page(`${replies}?before=${newest.before_cursor}`))).toBe('r1');
    expect((await page('?around=2&limit=1')).data).toMatchObject([{ text: 'b', reply_count: 3 }]);
    expect(texts(await page(`/${ids[0]}/replies`))).toBe('');
    expectProblem(await reader.call('GET', `${path}/${newest.data[0]?.id}/replies`), 'not_found');
    expectProblem(await reader.call('GET', `${path}?before=${newest.before_cursor}`), 'bad_cursor');
  });
});
