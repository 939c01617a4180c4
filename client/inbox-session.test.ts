import { describe, expect, it } from 'vitest';
import { problemDocument } from '../protocol/errors.ts';
import { inboxClientFrameSchema } from '../protocol/frames.ts';
import type { InboxEvent } from '../protocol/inbox-events.ts';
import type { Activity } from './conditions.ts';
import type { Cursor } from './connection.ts';
import { ProblemError } from './errors.ts';
import { createApi } from './http.ts';
import { InboxSession, inboxCursorOf } from './inbox-session.ts';
import { readPlaceIn } from './inbox-state.ts';
import type { ConnectionState } from './lifecycle.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';
import { FakeConditions } from './testing/fake-conditions.ts';
import { FakeServer } from './testing/fake-socket.ts';

const CHANNEL = '019abcde-0000-7000-8000-00000000000c';
const badge = { channel_id: CHANNEL, last_pos: 9, read_pos: 2, unread: 5, mentions: 1 };
const moved = (seq: number, read_pos: number): InboxEvent => ({ type: 'read.moved', seq, id: `e${seq}`, at: 'now', channel_id: CHANNEL, read_pos });

class FakeActivity implements Activity {
  isActive = true;
  #changed = () => {};

  watch(changed: () => void): () => void {
    this.#changed = changed;
    return () => (this.#changed = () => {});
  }

  set(isActive: boolean): void {
    this.isActive = isActive;
    this.#changed();
  }
}

async function setup(ticket = async () => ({ ticket: 't', expires_in: 30 }), since: Cursor | null = null) {
  const clock = new FakeClock();
  const server = new FakeServer();
  const activity = new FakeActivity();
  const conditions = new FakeConditions();
  const heard: InboxEvent[] = [];
  const resets: Cursor[] = [];
  const connections: ConnectionState[] = [];
  const api = { ...createApi({ baseUrl: 'http://colink.test' }), socketTicket: ticket };
  const session = new InboxSession(
    { api, openSocket: server.openSocket, tickets: true, clock, random: () => 0.5, activity, conditions },
    { events: (events) => heard.push(...events), reset: (cursor) => resets.push(cursor), connectionChanged: (state) => connections.push(state) },
    since,
  );
  session.start();
  await settle();
  return { clock, server, activity, conditions, heard, resets, connections, session };
}

async function open() {
  const all = await setup();
  all.server.latest.welcome({ seq: 3, recovered: false });
  all.server.latest.deliver({ type: 'badges', full: true, badges: [badge] });
  return all;
}

describe('an inbox session', () => {
  it('G4: begins where the server says, and resumes there', async () => {
    const { server, clock, heard, resets } = await open();
    expect(server.sockets[0]?.url.href).toBe('ws://colink.test/v1/me/socket');
    expect(resets).toEqual([{ epoch: 1, seq: 3 }]);
    server.latest.deliver({ type: 'events', epoch: 1, from: 4, to: 4, events: [moved(4, 3)] });
    server.latest.drop(1006);
    await clock.advance(250);
    expect(server.latest.url.search).toBe('?epoch=1&since=4');
    server.latest.welcome({ seq: 4, recovered: true });
    server.latest.deliver({ type: 'events', epoch: 1, from: 4, to: 5, events: [moved(4, 3), moved(5, 4)] });
    expect(heard.map(({ seq }) => seq)).toEqual([4, 5]);
    expect(resets).toHaveLength(1);
  });

  it('G4: begins behind a bootstrap, which then need not be read again; where its cursor is void, it must be', async () => {
    const since = inboxCursorOf({ inbox: { epoch: 1, as_of_seq: 3 } });
    const { server, clock, heard, resets } = await setup(undefined, since);
    expect(server.latest.url.search).toBe('?epoch=1&since=3');
    server.latest.welcome({ seq: 3, recovered: true });
    server.latest.deliver({ type: 'events', epoch: 1, from: 4, to: 4, events: [moved(4, 3)] });
    expect([heard.map(({ seq }) => seq), resets]).toEqual([[4], []]);
    server.latest.drop(1006);
    await clock.advance(250);
    server.latest.welcome({ epoch: 2, seq: 1, recovered: false });
    expect(resets).toEqual([{ epoch: 2, seq: 1 }]);
  });

  it('shows what another device has read', async () => {
    const { server, session } = await open();
    server.latest.deliver({ type: 'events', epoch: 1, from: 4, to: 4, events: [moved(4, 9)] });
    expect(session.state.badges.get(CHANNEL)?.unread).toBe(0);
  });

  it('reads at once here, and tells the server through as many sockets as it takes (G2)', async () => {
    const { server, clock, session } = await open();
    server.latest.drop(1006);
    const marked = session.markRead(CHANNEL, 9);
    expect(session.state.badges.get(CHANNEL)?.unread).toBe(0);
    await clock.advance(250);
    server.latest.welcome({ seq: 3, recovered: true });
    server.latest.deliver({ type: 'badges', full: true, badges: [badge] });
    expect(session.state.badges.get(CHANNEL)?.unread).toBe(0);
    expect(server.latest.frames.at(-1)).toEqual({ type: 'read', id: '1', channel_id: CHANNEL, pos: 9, generation: 0 });
    server.latest.deliver({ type: 'result', re: '1', ok: { read_pos: 9 } });
    await expect(marked).resolves.toEqual({ read_pos: 9 });
  });

  it('stands where the server has it, though more was taken for read, so that what comes next is unread', async () => {
    const { server, session } = await open();
    const marked = session.markRead(CHANNEL, 99);
    server.latest.deliver({ type: 'result', re: '1', ok: { read_pos: 9 } });
    await marked;
    server.latest.deliver({ type: 'badges', full: false, badges: [{ ...badge, last_pos: 10, read_pos: 9, unread: 1 }] });
    expect(session.state.badges.get(CHANNEL)).toMatchObject({ read_pos: 9, unread: 1 });
    // What was read meanwhile stays read.
    const [late, later] = [session.markRead(CHANNEL, 98), session.markRead(CHANNEL, 99)];
    server.latest.deliver({ type: 'result', re: '2', ok: { read_pos: 10 } });
    await late;
    expect(readPlaceIn(session.state, CHANNEL).pos).toBe(99);
    server.latest.deliver({ type: 'result', re: '3', ok: { read_pos: 10 } });
    await later;
    expect(readPlaceIn(session.state, CHANNEL).pos).toBe(10);
  });

  it('tells when its user goes and comes, and tells a new socket where they are', async () => {
    const { server, clock, activity } = await open();
    const told = () => server.latest.frames.flatMap((frame) => (frame.type === 'activity' ? [frame.state] : []));
    activity.set(true);
    activity.set(false);
    activity.set(false);
    expect(told()).toEqual(['idle']);
    server.latest.drop(1006);
    activity.set(false);
    await clock.advance(250);
    server.latest.welcome({ seq: 3, recovered: true });
    expect(told()).toEqual(['idle']);
    activity.set(true);
    expect(told()).toEqual(['idle', 'active']);
  });

  it('stays up while nobody looks', async () => {
    const { server, clock, conditions, connections } = await open();
    conditions.set({ isVisible: false });
    for (let i = 0; i < 60; i += 1) {
      await clock.advance(25_000);
      server.latest.deliver('pong');
    }
    expect(connections.at(-1)?.name).toBe('open');
  });

  it('ends with the session of its user', async () => {
    const { connections } = await setup(() => Promise.reject(new ProblemError(problemDocument({ code: 'unauthenticated' }))));
    expect(connections.at(-1)).toEqual({ name: 'closed', reason: 'unauthenticated' });
  });

  it('sends frames of the wire, and leaves nothing behind when stopped', async () => {
    const { server, clock, activity, session } = await open();
    activity.set(false);
    void session.markRead(CHANNEL, 9).catch(() => {});
    expect(server.latest.frames.map((frame) => inboxClientFrameSchema.safeParse(frame).success)).toEqual([true, true, true]);
    session.stop();
    expect(clock.pending).toBe(0);
  });
});
