import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it, vi } from 'vitest';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { type FollowedThreadPage, followedThreadPageSchema, type ThreadState, threadReadStateSchema, threadStateSchema } from '../../protocol/threads.ts';
import { type Answer, bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';
import { bearer, liveEventsOf, INBOX_SOCKET, openSocket } from '../socket-fixture.ts';

const following = (channelId: string, messageId: string): string => `/v1/channels/${channelId}/messages/${messageId}/following`;
const readState = (channelId: string, messageId: string): string => `/v1/channels/${channelId}/messages/${messageId}/read-state`;
const stateOf = (answer: Answer): ThreadState => bodyOf(answer, 200, threadStateSchema);
const threadsOf = async (who: Caller, query = ''): Promise<FollowedThreadPage> => bodyOf(await who.call('GET', `/v1/me/threads${query}`), 200, followedThreadPageSchema);
const mark = async (who: Caller, channel: string, root: string, tpos: number): Promise<number> =>
  bodyOf(await who.call('PUT', readState(channel, root), { tpos }), 200, threadReadStateSchema).tpos;

interface Bed {
  readonly ada: Caller;
  readonly bob: Caller;
  readonly channel: string;
  readonly root: string;
  /** Sends a reply, and waits until Postgres has it. */
  reply(by: Caller, text: string, root?: string): Promise<string>;
}

/** A channel of two with a message of Ada's. */
async function newBed(kind: 'public' | 'private' = 'public'): Promise<Bed> {
  const [ada, bob] = [await newCaller(), await newCaller()];
  const { id: channel } = await newChannel(ada, kind);
  await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: bob.user.id });
  const first = await send(ada, channel, 'root');
  await drained(channel, first.seq ?? 0);
  const reply = async (by: Caller, text: string, thread_id = first.message_id): Promise<string> => {
    const { message_id, seq } = await send(by, channel, text, { thread_id });
    await drained(channel, seq ?? 0);
    return message_id;
  };
  return { ada, bob, channel, root: first.message_id, reply };
}

describe('following a thread', () => {
  it('comes by itself for who wrote its root, replies or is named, and holds as one says otherwise until one is named again', async () => {
    const { ada, bob, channel, root, reply } = await newBed();
    const of = async (who: Caller) => stateOf(await who.call('GET', following(channel, root)));
    expect(await of(ada)).toEqual({ channel_id: channel, thread_id: root, following: false, followers: 0, reply_count: 0, last_tpos: 0, read_tpos: 0, unread_replies: 0 });
    await reply(bob, 'one');
    expect(await of(ada)).toMatchObject({ following: true, followers: 2, reply_count: 1, last_tpos: 1, read_tpos: 0, unread_replies: 1 });
    expect(await of(bob)).toMatchObject({ following: true, read_tpos: 1, unread_replies: 0 });
    const left = stateOf(await bob.call('DELETE', following(channel, root)));
    expect([left.following, left.followers]).toEqual([false, 1]);
    expect(stateOf(await bob.call('DELETE', following(channel, root)))).toEqual(left);
    await reply(bob, 'I still say something');
    expect(await of(bob)).toMatchObject({ following: false });
    await reply(ada, `come back, @${bob.user.handle}`);
    expect(await of(bob)).toMatchObject({ following: true, read_tpos: 2, unread_replies: 1, last_tpos: 3 });

    const later = await send(ada, channel, 'another root');
    await drained(channel, later.seq ?? 0);
    expect(stateOf(await bob.call('PUT', following(channel, later.message_id)))).toMatchObject({ following: true, followers: 1, read_tpos: 0 });
    await reply(ada, 'first', later.message_id);
    expect((await threadsOf(bob)).data.map(({ thread_id }) => thread_id)).toEqual([later.message_id, root]);
  });

  it('is repeated under its key as it was answered (G2)', async () => {
    const { bob, channel, root, reply } = await newBed();
    const key = { 'Idempotency-Key': 'k' };
    const one = await bob.call('PUT', following(channel, root), undefined, key);
    await reply(bob, 'meanwhile');
    const again = await bob.call('PUT', following(channel, root), undefined, key);
    expect([again.body, again.headers.get('idempotency-replayed')]).toEqual([one.body, 'true']);
  });

  it('is for members, of messages that begin threads; who leaves follows nothing any more, and comes back to nothing (G5)', async () => {
    const { ada, bob, channel, root, reply } = await newBed('private');
    const outsider = await newCaller();
    const answer = await reply(bob, 'one');
    const asked = (who: Caller, id: string, of = channel) =>
      Promise.all([who.call('GET', following(of, id)), who.call('PUT', following(of, id)), who.call('DELETE', following(of, id)), who.call('PUT', readState(of, id), { tpos: 1 })]);
    for (const refused of [...(await asked(outsider, root)), ...(await asked(ada, answer)), ...(await asked(ada, uuidv7())), ...(await asked(ada, root, (await newChannel(ada)).id))]) {
      expectProblem(refused, 'not_found');
    }
    expect((await threadsOf(bob)).data).toHaveLength(1);
    expect((await bob.call('DELETE', `/v1/channels/${channel}/members/me`)).status).toBe(204);
    expect((await threadsOf(bob)).data).toEqual([]);
    expect(stateOf(await ada.call('GET', following(channel, root))).followers).toBe(1);
    await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: bob.user.id });
    expect((await threadsOf(bob)).data).toEqual([]);
    for (const body of [{}, { tpos: -1 }, { tpos: 1.5 }, { tpos: 1, other: 1 }, { tpos: 2 ** 60 }]) expectProblem(await ada.call('PUT', readState(channel, root), body), 'invalid');
  });
});

describe('what of a thread is unread', () => {
  it('are live replies of others after the mark, which never goes down', async () => {
    const { ada, bob, channel, root, reply } = await newBed();
    const ids = [];
    for (const text of ['1', '2', '3', '4']) ids.push(await reply(bob, text));
    await reply(ada, 'mine');
    const unread = async () => (await threadsOf(ada)).data.map(({ read_tpos, unread_replies, last_tpos, reply_count }) => [read_tpos, unread_replies, last_tpos, reply_count]);
    expect(await unread()).toEqual([[0, 4, 5, 5]]);
    expect(await mark(ada, channel, root, 2)).toBe(2);
    expect(await mark(ada, channel, root, 1)).toBe(2);
    expect(await unread()).toEqual([[2, 2, 5, 5]]);
    const gone = await ada.call('GET', `/v1/channels/${channel}/messages/${ids[2]}`);
    expect(gone.status).toBe(200);
    const deleted = await bob.call('DELETE', `/v1/channels/${channel}/messages/${ids[2]}`);
    await drained(channel, (deleted.body as { seq: number }).seq);
    expect(await unread()).toEqual([[2, 1, 5, 4]]);
    expect((await threadsOf(ada, '?unread=true')).data).toHaveLength(1);
    await mark(ada, channel, root, 4);
    expect((await threadsOf(ada, '?unread=true')).data).toEqual([]);
    expect(await unread()).toEqual([[4, 0, 5, 4]]);
  });

  it('is what comes after a mark that went beyond the last reply, on whatever device', async () => {
    const { ada, bob, channel, root, reply } = await newBed();
    await reply(bob, 'one');
    const device = await openSocket(INBOX_SOCKET, bearer(ada));
    const told = () => liveEventsOf(device).flatMap((event) => (event.type === 'thread.read' ? [event.read_tpos] : []));
    expect(await mark(ada, channel, root, 1_000)).toBe(1);
    await vi.waitFor(() => expect(told()).toEqual([1]), 5_000);
    await reply(bob, 'two');
    expect((await threadsOf(ada)).data).toMatchObject([{ read_tpos: 1, unread_replies: 1, last_tpos: 2 }]);
    // Nobody has answered here yet.
    const bare = await send(bob, channel, 'another root');
    await drained(channel, bare.seq ?? 0);
    expect(await mark(ada, channel, bare.message_id, 7)).toBe(0);
    device.close();
  });

  it('is not what somebody has read before Postgres had it', async () => {
    const { ada, bob, channel, root } = await newBed();
    for (const tpos of [1, 2, 3]) {
      await send(bob, channel, `reply ${tpos}`, { thread_id: root });
      expect(await mark(ada, channel, root, tpos)).toBe(tpos);
    }
  });

  it('is paged from the newest reply on', async () => {
    const { ada, channel, root, reply } = await newBed();
    const others = [];
    for (const text of ['a', 'b']) others.push((await send(ada, channel, text)).message_id);
    await reply(ada, 'x', others[0]);
    await reply(ada, 'x', others[1]);
    await reply(ada, 'x', root);
    const pages: FollowedThreadPage[] = [];
    for (let next: string | null = ''; next !== null; next = pages.at(-1)?.next_cursor ?? null) pages.push(await threadsOf(ada, `?limit=1${next === '' ? '' : `&cursor=${next}`}`));
    expect(pages.map(({ data }) => data.map((thread) => thread.root.text))).toEqual([['root'], ['b'], ['a']]);
    expect(pages[0]?.users).toEqual([ada.user]);
    for (const cursor of ['x', btoa('threads\nnow then').replaceAll('=', '')]) expectProblem(await ada.call('GET', `/v1/me/threads?cursor=${cursor}`), 'bad_cursor');
  });
});

it('other devices hear of both, each once (G2)', async () => {
  const { ada, bob, channel, root, reply } = await newBed();
  await reply(bob, 'one');
  const device = await openSocket(INBOX_SOCKET, bearer(ada));
  const told = () => liveEventsOf(device).filter((event): event is Extract<InboxEvent, { type: 'thread.read' | 'thread.followed' }> => event.type === 'thread.read' || event.type === 'thread.followed');
  await mark(ada, channel, root, 1);
  await vi.waitFor(() => expect(told()).toHaveLength(1), 5_000);
  await mark(ada, channel, root, 1);
  await ada.call('DELETE', following(channel, root));
  await vi.waitFor(() => expect(told()).toHaveLength(2), 5_000);
  await ada.call('DELETE', following(channel, root));
  await ada.call('PUT', following(channel, root));
  await vi.waitFor(() => expect(told()).toHaveLength(3), 5_000);
  expect(told()).toMatchObject([
    { type: 'thread.read', channel_id: channel, thread_id: root, read_tpos: 1 }, { type: 'thread.followed', channel_id: channel, thread_id: root, following: false }, { type: 'thread.followed', following: true },
  ]);
  device.close();
});

it('there is a bound to what one says oneself (G8)', async () => {
  const { bob, channel, root } = await newBed();
  await onPostgres((db) => db.execute(sql`
    INSERT INTO thread_followers (root_id, user_id, channel_id, choice, choice_tpos) SELECT gen_random_uuid(), ${bob.user.id}, ${channel}, 'followed', 0 FROM generate_series(1, 10000)`));
  expectProblem(await bob.call('PUT', following(channel, root)), 'conflict');
});
