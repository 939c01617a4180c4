import { describe, expect, it } from 'vitest';
import type { MyChannel } from '../protocol/api.ts';
import { problemDocument } from '../protocol/errors.ts';
import { ChannelSession } from './channel-session.ts';
import { ProblemError } from './errors.ts';
import { type Api, createApi } from './http.ts';
import type { OutboxEntry } from './outbox.ts';
import { memoryStore } from './stores/memory.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';
import { FakeConditions } from './testing/fake-conditions.ts';
import { FakeServer } from './testing/fake-socket.ts';
import { seededRandom } from './testing/random.ts';
import { ME, RoomModel } from './testing/room-model.ts';

function roomOf(count: number): RoomModel {
  const room = new RoomModel();
  const random = seededRandom(3);
  for (let i = 0; i < count; i += 1) room.grow(random);
  return room;
}

/** A session beside a room whose reads are of `drained`, the way Postgres is behind the room. */
async function setup(room: RoomModel, overrides: Partial<Api> = {}, store = memoryStore()) {
  const clock = new FakeClock();
  const server = new FakeServer();
  const conditions = new FakeConditions();
  const place = { drained: room.head };
  const marks: number[] = [];
  const failures: unknown[] = [];
  let outbox: readonly OutboxEntry[] = [];
  const entry = (): MyChannel => ({
    id: room.channelId, kind: 'public', name: 'general', topic: '', purpose: '', created_at: '', archived_at: null, version: 1, my_role: 'member',
    epoch: 1, as_of_seq: place.drained, last_pos: room.lastPos(place.drained), read_pos: 0,
  });
  const api: Api = {
    ...createApi({ baseUrl: 'http://colink.test' }),
    history: async (_, query) => room.page(null, place.drained, { limit: 5, ...query }),
    replies: async (_, rootId, query) => room.page(rootId, place.drained, { limit: 5, ...query }),
    bootstrap: async () => ({ me: { id: ME, handle: 'me', display_name: 'Me', role: 'member', avatar: null }, channels: [entry()], users: [], direct_channels: [], inbox: { epoch: 1, as_of_seq: 0 } }),
    markRead: async (_, read_pos) => {
      marks.push(read_pos);
      return { read_pos };
    },
    ...overrides,
  };
  const session = new ChannelSession(entry(), ME, { api, openSocket: server.openSocket, tickets: false, clock, random: () => 0.5, store, newId: () => 'c1', conditions }, {
    outboxChanged: (entries) => (outbox = entries),
    loadFailed: (error) => failures.push(error),
  });
  session.start();
  await settle();
  server.latest.welcome({ seq: place.drained, recovered: true });
  const deliver = (from: number) => server.latest.deliver({ type: 'events', epoch: 1, from, to: room.head, events: room.eventsAfter(from - 1) });
  const texts = () => session.state.history?.ids.map((id) => session.state.messages.get(id)?.message.text);
  const expected = () => room.messages(null, room.head).map(({ text }) => text);
  return { room, clock, server, conditions, place, session, marks, failures, deliver, texts, expected, outbox: () => outbox };
}

describe('a session', () => {
  it('G4: joins a history that is behind its socket with the events it has heard', async () => {
    const { room, session, deliver, texts, expected } = await setup(roomOf(30));
    for (let i = 0; i < 5; i += 1) room.grow(seededRandom(i));
    deliver(31);
    await session.loadLatest();
    expect(texts()).toEqual(expected().slice(-(texts()?.length ?? 0)));
    expect(session.state.lastPos).toBe(room.lastPos());
  });

  it('G4: reads again until the snapshot is as recent as a reset asks', async () => {
    const { room, clock, server, place, session, texts, expected } = await setup(roomOf(30));
    await session.loadLatest();
    for (let i = 0; i < 5; i += 1) room.grow(seededRandom(i));
    server.latest.drop(1006);
    await clock.advance(250);
    server.latest.welcome({ seq: room.head, recovered: false });
    await clock.advance(1_000);
    expect(session.state.history).toBeNull();
    place.drained = room.head;
    await clock.advance(30_000);
    expect(texts()).toEqual(expected().slice(-5));
    expect(session.state.lastPos).toBe(room.lastPos());
  });

  it('pages to the beginning without holes or repetitions', async () => {
    const { session, texts, expected } = await setup(roomOf(60));
    await session.loadLatest();
    for (let i = 0; i < 20; i += 1) await Promise.all([session.loadMore('older'), session.loadMore('older')]);
    expect(texts()).toEqual(expected());
    expect(session.state.history?.before).toBeNull();
  });

  it('shows the page that was asked for last, whichever comes last', async () => {
    const room = roomOf(60);
    const answers: (() => void)[] = [];
    const history: Api['history'] = async (_, query) => {
      await new Promise<void>((resolve) => answers.push(resolve));
      return room.page(null, room.head, { limit: 5, ...query });
    };
    const { session, texts, expected } = await setup(room, { history });
    const loads = [session.loadAround('message-1'), session.loadLatest()];
    answers[1]?.();
    await settle();
    answers[0]?.();
    await Promise.all(loads);
    expect(texts()).toEqual(expected().slice(-5));
  });

  it('tries a read again that may yet succeed, and reports one that may not', async () => {
    let calls = 0;
    const history: Api['history'] = async () => {
      throw new ProblemError(problemDocument({ code: (calls += 1) < 3 ? 'unavailable' : 'not_a_member' }));
    };
    const { session, clock } = await setup(roomOf(5), { history });
    const load = session.loadLatest().catch((error: unknown) => error);
    await clock.advance(2_000);
    expect(await load).toMatchObject({ code: 'not_a_member' });
    expect(calls).toBe(3);
  });

  it('G2: shows a message once, from the moment it is written', async () => {
    const { room, server, session, outbox, clock } = await setup(roomOf(3));
    await session.loadLatest();
    session.send('hello');
    await settle();
    expect(outbox()).toMatchObject([{ text: 'hello', state: 'sending' }]);
    const at = '2026-11-23T10:00:00.000Z';
    const result = { message_id: 'mine', seq: 4, pos: room.lastPos() + 1, thread_id: null, tpos: null, at, changed: true };
    server.latest.deliver({ type: 'result', re: '1', ok: result });
    await settle();
    expect(outbox()).toMatchObject([{ state: 'sent', seq: 4 }]);
    const event = { type: 'message.created' as const, seq: 4, id: 'e', at, actor_id: ME, message_id: 'mine', client_msg_id: 'c1', text: 'hello', pos: result.pos, thread_id: null, tpos: null, origin: null };
    server.latest.deliver({ type: 'events', epoch: 1, from: 4, to: 4, events: [event] });
    expect(outbox()).toEqual([]);
    expect(session.state.messages.get('mine')?.message.text).toBe('hello');
    session.stop();
    expect(clock.pending).toBe(0);
  });

  it('G2: lets go of a message whose event a reset has put behind it', async () => {
    const { server, session, outbox, clock } = await setup(roomOf(3));
    session.send('hello');
    await settle();
    const result = { message_id: 'mine', seq: 4, pos: 4, thread_id: null, tpos: null, at: '2026-11-23T10:00:00.000Z', changed: true };
    server.latest.deliver({ type: 'result', re: '1', ok: result });
    await settle();
    expect(outbox()).toMatchObject([{ state: 'sent', seq: 4 }]);
    server.latest.drop(1006);
    await clock.advance(250);
    server.latest.welcome({ seq: 5, recovered: false });
    expect(outbox()).toEqual([]);
  });

  it('at rest keeps its socket for half a minute, then resumes where it stood when it is looked at again (G4)', async () => {
    const { room, session, server, clock, deliver, texts, expected } = await setup(roomOf(20));
    await session.loadLatest();
    session.rest();
    await clock.advance(20_000);
    session.start();
    await clock.advance(14_000);
    expect(server.latest.closed).toBe(false);
    server.latest.deliver('pong');
    session.rest();
    await clock.advance(20_000);
    server.latest.deliver('pong');
    await clock.advance(9_000);
    expect(server.latest.closed).toBe(false);
    await clock.advance(1_000);
    expect(server.latest.closed).toBe(true);
    expect(server.sockets).toHaveLength(1);
    room.grow(seededRandom(2));
    session.start();
    await settle();
    expect(server.latest.url.searchParams.get('since')).toBe('20');
    server.latest.welcome({ seq: 20, head: 21, recovered: true });
    deliver(21);
    expect(texts()).toEqual(expected().slice(-(texts()?.length ?? 0)));
  });

  it('G1: does not rest while a message of its own is on its way', async () => {
    const { session, server, clock, outbox } = await setup(roomOf(3));
    session.send('hello');
    session.rest();
    await clock.advance(29_000);
    server.latest.deliver('pong');
    await clock.advance(2_000);
    expect(server.latest.closed).toBe(false);
    server.latest.deliver({ type: 'result', re: '1', ok: { message_id: 'm', seq: null, pos: null, thread_id: null, tpos: null, at: 'now', changed: false } });
    await clock.advance(30_000);
    expect(outbox()).toEqual([]);
    expect(server.latest.closed).toBe(true);
  });

  it('G2: one of two of the same channel sends what is left, and only once', async () => {
    const store = memoryStore();
    const first = await setup(roomOf(3), {}, store);
    first.session.send('hello');
    await settle();
    first.session.stop();
    const second = await setup(roomOf(3), {}, store);
    await settle();
    const sends = () => second.server.sockets.flatMap(({ frames }) => frames.filter(({ type }) => type === 'send'));
    expect(sends()).toMatchObject([{ client_msg_id: 'c1', text: 'hello' }]);
    second.server.latest.deliver({ type: 'result', re: '1', ok: { message_id: 'm', seq: null, pos: null, thread_id: null, tpos: null, at: 'now', changed: false } });
    await settle();
    expect(await store.entries('')).toEqual([]);
  });

  it('asks every socket anew who is there, as long as someone looks', async () => {
    const { session, server, clock } = await setup(roomOf(3));
    const watches = () => server.latest.frames.filter(({ type }) => type === 'watch');
    session.watchPresence(true);
    session.watchPresence(true);
    expect(watches()).toEqual([{ type: 'watch', presence: true }]);
    server.latest.deliver({ type: 'presence', full: true, users: [{ user_id: 'ann', state: 'online', status: null }], present: 1 });
    expect(session.presence.users?.get('ann')?.state).toBe('online');
    server.latest.drop(1006);
    await clock.advance(250);
    server.latest.welcome({ seq: 3, recovered: true });
    expect(watches()).toHaveLength(1);
    session.watchPresence(false);
    expect(watches().at(-1)).toEqual({ type: 'watch', presence: false });
  });

  it('tells that its user types, and shows nobody as typing on a socket that is gone', async () => {
    const { session, server } = await setup(roomOf(3));
    session.typed('root');
    session.typed('root');
    expect(server.latest.frames.filter(({ type }) => type === 'typing')).toEqual([{ type: 'typing', thread_id: 'root' }]);
    server.latest.deliver({ type: 'typing', users: [{ user_id: 'ann', thread_id: null }] });
    expect(session.typists).toHaveLength(1);
    server.latest.drop(1006);
    expect(session.typists).toEqual([]);
  });

  it('tells the server at most once a second how far the user has read', async () => {
    const { room, session, marks, clock, deliver } = await setup(roomOf(5));
    session.markRead();
    session.markRead();
    const first = room.lastPos();
    for (let i = 0; i < 4; i += 1) room.grow(seededRandom(7));
    deliver(6);
    await clock.advance(1_000);
    session.markRead();
    await clock.advance(1_000);
    expect(marks).toEqual([first, room.lastPos()]);
  });

  it('tells at once how far the user has read when the page may go, by a call that outlives it', async () => {
    const { room, session, marks, conditions } = await setup(roomOf(5));
    session.markRead();
    conditions.leave();
    expect(marks).toEqual([room.lastPos()]);
    session.stop();
    expect(conditions.leaving.size).toBe(0);
  });
});
