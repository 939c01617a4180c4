import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it, vi } from 'vitest';
import { type Draft, draftPageSchema, draftSchema, MAX_DRAFTS } from '../../protocol/drafts.ts';
import { type Answer, bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';
import { newFile } from '../file-fixture.ts';
import { bearer, liveEventsOf, INBOX_SOCKET, openSocket } from '../socket-fixture.ts';

const MINE = '/v1/me/drafts';
const saved = (answer: Answer): Draft => bodyOf(answer, 200, draftSchema);
const listed = async (who: Caller, query = ''): Promise<Draft[]> => bodyOf(await who.call('GET', `${MINE}${query}`), 200, draftPageSchema).data;
const at = (channel: string, thread?: string): string => `${MINE}/${channel}${thread === undefined ? '' : `/${thread}`}`;
const ifMatch = (version: number) => ({ 'If-Match': `"${version}"` });

describe('a draft', () => {
  it('is one for a channel and one for each thread, the last save wins, its version rises, also over a deletion', async () => {
    const ada = await newCaller();
    const { id: channel } = await newChannel(ada);
    const root = await send(ada, channel, 'root');
    await drained(channel, root.seq ?? 0);
    const first = await ada.call('PUT', at(channel), { text: 'one' });
    const one = saved(first);
    expect([one, first.headers.get('etag')]).toMatchObject([{ channel_id: channel, thread_id: null, text: 'one', file_ids: [] }, `"${one.version}"`]);
    const two = saved(await ada.call('PUT', at(channel), { text: 'two ' }));
    expect(two.text).toBe('two ');
    const reply = saved(await ada.call('PUT', at(channel, root.message_id), { text: 'a reply' }));
    expect([two.version > one.version, reply.version > two.version, reply.thread_id]).toEqual([true, true, root.message_id]);
    expect(await listed(ada)).toEqual([reply, two]);
    for (let n = 0; n < 2; n += 1) expect((await ada.call('DELETE', at(channel))).status).toBe(204);
    expect(await listed(ada)).toEqual([reply]);
    expect(saved(await ada.call('PUT', at(channel), { text: 'again' })).version).toBeGreaterThan(two.version);
    const page = bodyOf(await ada.call('GET', `${MINE}?limit=1`), 200, draftPageSchema);
    expect(page.data.map(({ text }) => text)).toEqual(['again']);
    expect(await listed(ada, `?limit=1&cursor=${page.next_cursor}`)).toEqual([reply]);
    expect((await ada.call('DELETE', at(channel, root.message_id))).status).toBe(204);
    expect((await listed(ada)).map(({ text }) => text)).toEqual(['again']);
  });

  it('is replaced by one of two who know its version, where they ask for that (G2)', async () => {
    const ada = await newCaller();
    const { id: channel } = await newChannel(ada);
    expectProblem(await ada.call('PUT', at(channel), { text: 'x' }, ifMatch(5)), 'precondition_failed');
    const { version } = saved(await ada.call('PUT', at(channel), { text: 'x' }, ifMatch(0)));
    // As the platform makes it of an answer that it compresses.
    const { version: next } = saved(await ada.call('PUT', at(channel), { text: 'y' }, { 'If-Match': `W/"${version}"` }));
    const both = await Promise.all(['a', 'b'].map((text) => ada.call('PUT', at(channel), { text }, ifMatch(next))));
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 412]);
    expectProblem(await ada.call('DELETE', at(channel), undefined, ifMatch(version)), 'precondition_failed');
    for (const match of ['*', 'w/"1"', 'W/1', '"1", "2"']) expectProblem(await ada.call('PUT', at(channel), { text: 'x' }, { 'If-Match': match }), 'invalid');
    const key = { 'Idempotency-Key': 'k' };
    const kept = [await ada.call('PUT', at(channel), { text: 'kept' }, key), await ada.call('PUT', at(channel), { text: 'kept' }, key)];
    expect([kept[1]?.body, kept[1]?.headers.get('idempotency-replayed')]).toEqual([kept[0]?.body, 'true']);
  });

  it('is refused where a message of it would be (G8)', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id: channel } = await newChannel(ada);
    await bob.call('PUT', `/v1/channels/${channel}/members/me`);
    const reply = await send(ada, channel, 'reply', { thread_id: (await send(ada, channel, 'root')).message_id });
    await drained(channel, reply.seq ?? 0);
    const [mine, foreign] = [(await newFile(ada, channel)).id, (await newFile(bob, channel)).id];
    for (const body of [{ text: '' }, {}, { text: 'x'.repeat(10_001) }, { text: 'a\u0000' }, { text: 'x', other: 1 }, { text: 'x', file_ids: [] }, { text: 'x', file_ids: [foreign] }, { text: 'x', file_ids: [uuidv7()] }]) {
      expectProblem(await ada.call('PUT', at(channel), body), 'invalid');
    }
    for (const thread of [uuidv7(), reply.message_id]) expectProblem(await ada.call('PUT', at(channel, thread), { text: 'x' }), 'not_found');
    expect(saved(await ada.call('PUT', at(channel), { text: '', file_ids: [mine] })).file_ids).toEqual([mine]);
  });

  it('is its author\'s, for channels of which they are a member; whoever is removed has it no more, also when they are back (G5)', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const [open, secret] = [(await newChannel(ada)).id, (await newChannel(ada, 'private')).id];
    await ada.call('POST', `/v1/channels/${secret}/members`, { user_id: bob.user.id });
    saved(await bob.call('PUT', at(secret), { text: 'what I think' }));
    expect(await listed(ada)).toEqual([]);
    const asked = (who: Caller, channel: string) => Promise.all([who.call('PUT', at(channel), { text: 'x' }), who.call('DELETE', at(channel)), who.call('PUT', at(channel, uuidv7()), { text: 'x' })]);
    for (const answer of await asked(bob, open)) expectProblem(answer, 'not_a_member');
    await ada.call('DELETE', `/v1/channels/${secret}/members/${bob.user.id}`);
    for (const answer of [...(await asked(bob, secret)), ...(await asked(bob, uuidv7()))]) expectProblem(answer, 'not_found');
    expect(await listed(bob)).toEqual([]);
    await ada.call('POST', `/v1/channels/${secret}/members`, { user_id: bob.user.id });
    expect(await listed(bob)).toEqual([]);
  });

  it('has at most so many beside it, whoever saves at once (G8)', async () => {
    const ada = await newCaller();
    const channels: string[] = [];
    for (let n = 0; n < 4; n += 1) channels.push((await newChannel(ada)).id);
    const root = await send(ada, channels[0] ?? '', 'root');
    await drained(channels[0] ?? '', root.seq ?? 0);
    await onPostgres((db) => db.execute(sql`
      INSERT INTO drafts (user_id, channel_id, thread_id, text, version, updated_at)
      SELECT ${ada.user.id}, ${channels[0]}, gen_random_uuid(), 'x', n, now() FROM generate_series(1, ${MAX_DRAFTS - 2}::integer) n`));
    const answers = await Promise.all(channels.map((channel) => ada.call('PUT', at(channel), { text: 'x' })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 409, 409]);
    expect((await ada.call('PUT', at(channels[answers.findIndex(({ status }) => status === 200)] ?? ''), { text: 'y' })).status).toBe(200);
  });
});

it('other devices hear that a draft has changed, without its text', async () => {
  const ada = await newCaller();
  const { id: channel } = await newChannel(ada);
  const device = await openSocket(INBOX_SOCKET, bearer(ada));
  const told = () => liveEventsOf(device).filter(({ type }) => type === 'draft.changed');
  const { version } = saved(await ada.call('PUT', at(channel), { text: 'a secret thought' }));
  await vi.waitFor(() => expect(told()).toMatchObject([{ channel_id: channel, thread_id: null, version, deleted: false }]), 5_000);
  await ada.call('DELETE', at(channel));
  await vi.waitFor(() => expect(told()).toMatchObject([{ deleted: false }, { version, deleted: true }]), 5_000);
  await ada.call('DELETE', at(channel));
  const again = saved(await ada.call('PUT', at(channel), { text: 'more' }));
  await vi.waitFor(() => expect(told()).toMatchObject([{}, {}, { version: again.version, deleted: false }]), 5_000);
  expect(JSON.stringify(device.frames)).not.toContain('secret thought');
  device.close();
});
