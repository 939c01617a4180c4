import { describe, expect, it } from 'vitest';
import { NetworkError } from './errors.ts';
import { frame, hello, open, problem } from './testing/connected.ts';
import { type FakeClock, settle } from './testing/fake-clock.ts';
import { FakeConditions } from './testing/fake-conditions.ts';
import type { FakeServer } from './testing/fake-socket.ts';

describe('a server that sends everyone away', () => {
  it('is left at a random moment of its window, and come back to at the cursor (G4, P39)', async () => {
    const { server, clock, heard } = await open();
    server.latest.deliver({ type: 'reconnect', within_ms: 10_000 });
    await clock.advance(4_999);
    server.latest.deliver(frame(6, 7));
    expect(server.sockets).toHaveLength(1);
    await clock.advance(1);
    expect(server.sockets.map(({ closed }) => closed)).toEqual([true, false]);
    expect(server.latest.url.search).toBe('?epoch=1&since=7');
    expect(heard).toEqual([6, 7]);
  });

  it('that closes first is come back to within the window of its close, whatever the attempt (P39)', async () => {
    const { server, waits, retry } = await open();
    for (const within of [40_000, 100_000]) {
      server.latest.drop(1012, `restart; within=${within}`);
      expect(waits()).toBe(within / 2);
      await retry();
    }
  });

  it('G8: waits no longer than two minutes for any window (P39)', async () => {
    const { server, waits } = await open({ random: () => 0.999_999 });
    server.latest.drop(1012, 'restart; within=999999');
    expect(waits()).toBe(120_000);
  });

  it('takes its unanswered commands along (G2)', async () => {
    const { server, clock, connection } = await open();
    void connection.command({ type: 'send', client_msg_id: 'c1', text: 'hello' });
    server.latest.deliver({ type: 'reconnect', within_ms: 0 });
    await clock.advance(0);
    server.latest.welcome({ seq: 5, recovered: true });
    expect(server.latest.frames).toEqual([hello, { type: 'send', client_msg_id: 'c1', text: 'hello', id: '1' }]);
  });
});

describe('a credential that ends', () => {
  const expiring = (clock: FakeClock, ms: number) => ({ type: 'auth.expiring' as const, expires_at: new Date(clock.now() + ms).toISOString() });
  const refreshes = (server: FakeServer) => server.latest.frames.filter(({ type }) => type === 'refresh');

  it('is renewed in band, at a random moment of the first half of what is left (P34)', async () => {
    let tickets = 0;
    const { server, clock, connection } = await open({ ticket: async () => `t${(tickets += 1)}` });
    server.latest.deliver(expiring(clock, 60_000));
    await clock.advance(14_999);
    expect(refreshes(server)).toEqual([]);
    await clock.advance(1);
    expect(refreshes(server)).toEqual([{ type: 'refresh', id: 'refresh', ticket: 't2' }]);
    server.latest.deliver({ type: 'result', re: 'refresh', ok: { expires_at: new Date(clock.now() + 3_600_000).toISOString() } });
    expect(server.sockets).toHaveLength(1);
    expect(connection.state.name).toBe('open');
  });

  it('is renewed once for each end that is told, however far the clocks are apart', async () => {
    const { server, clock } = await open({ ticket: async () => 't' });
    const first = expiring(clock, -7_200_000);
    for (const told of [first, first, expiring(clock, 7_200_000)]) {
      server.latest.deliver(told);
      await clock.advance(15_000);
    }
    expect(refreshes(server)).toHaveLength(2);
  });

  it('that cannot be renewed ends the socket, and the next attempt says why', async () => {
    let isSignedIn = true;
    const { server, clock, connection, retry } = await open({ ticket: () => (isSignedIn ? Promise.resolve('t') : Promise.reject(problem('unauthenticated'))) });
    isSignedIn = false;
    server.latest.deliver(expiring(clock, 60_000));
    await clock.advance(60_000);
    server.latest.drop(4001);
    await retry();
    expect(connection.state).toEqual({ name: 'closed', reason: 'unauthenticated' });
  });

  it('asks again for a ticket that could not be had at the moment', async () => {
    let calls = 0;
    const ticket = () => ((calls += 1) === 2 ? Promise.reject(new NetworkError('away')) : Promise.resolve(`t${calls}`));
    const { server, clock } = await open({ ticket });
    server.latest.deliver(expiring(clock, 60_000));
    await clock.advance(15_250);
    expect(refreshes(server)).toMatchObject([{ ticket: 't3' }]);
  });
});

describe('a device', () => {
  const HIDDEN = 300_000;
  async function device() {
    const conditions = new FakeConditions();
    return { conditions, ...(await open({ conditions, hiddenAfterMs: HIDDEN })) };
  }

  it('without a network attempts nothing until there is one', async () => {
    const { conditions, server, clock, connection } = await device();
    conditions.set({ isOnline: false });
    expect(connection.state.name).toBe('open');
    server.latest.drop(1006);
    expect(connection.state).toEqual({ name: 'paused', reason: 'offline' });
    await clock.advance(600_000);
    expect(server.sockets).toHaveLength(1);
    conditions.set({ isOnline: true });
    await settle();
    expect(server.sockets).toHaveLength(2);
  });

  it('that says it has none is asked anyway where someone wants it', async () => {
    const { conditions, server, connection } = await device();
    conditions.set({ isOnline: false });
    server.latest.drop(1006);
    connection.wake();
    await settle();
    expect(server.sockets).toHaveLength(2);
  });

  it('that nobody looks at for long gives its socket up, and resumes at once when someone does (G4)', async () => {
    const { conditions, server, clock, connection } = await device();
    server.latest.deliver(frame(6, 6));
    conditions.set({ isVisible: false });
    await clock.advance(24_000);
    for (let passed = 24_000; passed < HIDDEN; passed += 25_000) {
      server.latest.deliver('pong');
      await clock.advance(25_000);
    }
    expect(connection.state).toEqual({ name: 'paused', reason: 'hidden' });
    expect(server.latest.closed).toBe(true);
    expect(clock.pending).toBe(0);
    conditions.set({ isVisible: true });
    await settle();
    expect(server.latest.url.search).toBe('?epoch=1&since=6');
  });

  it('looked at again in time keeps its socket, and makes sure of it', async () => {
    const { conditions, server, clock, connection } = await device();
    conditions.set({ isVisible: false });
    await clock.advance(20_000);
    conditions.set({ isVisible: true });
    expect(server.latest.sent.at(-1)).toBe('ping');
    server.latest.deliver('pong');
    expect(connection.state.name).toBe('open');
    expect(server.sockets).toHaveLength(1);
  });

  it('does not rest while a command is unanswered', async () => {
    const { conditions, server, clock, connection } = await device();
    void connection.command({ type: 'delete', message_id: 'm' });
    conditions.set({ isVisible: false });
    for (let passed = 0; passed < HIDDEN; passed += 20_000) {
      if (!server.latest.closed) server.latest.welcome({ seq: 5, recovered: true });
      await clock.advance(20_000);
      expect(connection.state.name).not.toBe('paused');
    }
  });

  it('is watched no more once the connection has ended', async () => {
    const { conditions, connection } = await device();
    connection.stop();
    expect(conditions.watchers.size).toBe(0);
  });
});
