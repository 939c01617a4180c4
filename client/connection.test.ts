import { describe, expect, it } from 'vitest';
import { CLOSE_CODES, type CloseRule } from '../protocol/close-codes.ts';
import { NetworkError } from './errors.ts';
import { connect, frame, hello, open, problem } from './testing/connected.ts';
import { settle } from './testing/fake-clock.ts';

const rules = Object.entries<CloseRule>(CLOSE_CODES);

describe('a connection', () => {
  it('G4: resumes at its epoch and seq, and goes on from there after a loss', async () => {
    const { server, heard, resets, connection, retry, states } = await open();
    expect(server.latest.url.search).toBe('?epoch=1&since=5');
    server.latest.deliver(frame(6, 8), 'bytes');
    server.latest.drop(1006);
    await retry();
    expect(server.sockets).toHaveLength(2);
    expect(server.latest.url.search).toBe('?epoch=1&since=8');
    server.latest.welcome({ seq: 8, recovered: true });
    server.latest.deliver(frame(9, 9));
    expect(heard).toEqual([6, 7, 8, 9]);
    expect(resets).toEqual([]);
    expect(connection.state.name).toBe('open');
    expect(states.map(({ name }) => name)).toEqual(['connecting', 'open', 'waiting', 'connecting', 'open']);
  });

  it('G4: voids its state when the server could not recover, and follows the new cursor (P10)', async () => {
    const { server, heard, resets, connection } = await connect();
    server.latest.welcome({ epoch: 2, seq: 40, recovered: false });
    server.latest.deliver(frame(41, 42, 2));
    expect(resets).toEqual([{ epoch: 2, seq: 40 }]);
    expect(heard).toEqual([41, 42]);
    expect(connection.cursor).toEqual({ epoch: 2, seq: 42 });
  });

  it('G2: drops frames and parts of frames it has heard (P15)', async () => {
    const { server, heard } = await open();
    for (const known of [frame(6, 8), frame(6, 8), frame(6, 7), frame(7, 10)]) server.latest.deliver(known);
    expect(heard).toEqual([6, 7, 8, 9, 10]);
  });

  it('G4: takes a gap, or a frame of another epoch, for a loss (P15)', async () => {
    for (const bad of [frame(7, 8), frame(6, 6, 2)]) {
      const { server, heard, retry, connection } = await open();
      server.latest.deliver(bad);
      expect(server.latest.closed).toBe(true);
      expect(connection.state.name).toBe('waiting');
      await retry();
      expect(server.latest.url.search).toBe('?epoch=1&since=5');
      expect(heard).toEqual([]);
    }
  });

  it('hears nothing of a socket it has given up', async () => {
    const { server, heard, retry } = await open();
    const old = server.latest;
    old.deliver(frame(7, 8));
    await retry();
    old.deliver(frame(6, 6));
    expect(heard).toEqual([]);
  });

  it('carries a fresh ticket to every attempt', async () => {
    let tickets = 0;
    const { server, retry } = await open({ ticket: async () => `t${(tickets += 1)}` });
    server.latest.drop(1012);
    await retry();
    expect(server.sockets.map(({ protocols }) => protocols)).toEqual([['colink.v1', 'colink.ticket.t1'], ['colink.v1', 'colink.ticket.t2']]);
  });

  it('comes back with the ticket of its welcome, and asks for one only where it has none (P50)', async () => {
    let asked = 0;
    const { server, retry } = await connect({ ticket: async () => `t${(asked += 1)}` });
    server.latest.welcome({ seq: 5, recovered: true, next_ticket: 'n1' });
    server.latest.drop(1012);
    await retry();
    server.latest.welcome({ seq: 5, recovered: true });
    server.latest.drop(1012);
    await retry();
    expect(server.sockets.map(({ protocols }) => protocols[1])).toEqual(['t1', 'n1', 't2'].map((ticket) => `colink.ticket.${ticket}`));
  });

  it('offers the ticket of its welcome again where nobody could serve, and no more where somebody did (P50)', async () => {
    const answers = [() => Promise.reject(new NetworkError('away')), () => Promise.reject(problem('unavailable')), () => Promise.resolve()];
    const { server, retry } = await connect({ ticket: async () => 'asked', diagnose: () => (answers.shift() ?? (() => Promise.resolve()))() });
    server.latest.welcome({ seq: 5, recovered: true, next_ticket: 'n1' });
    for (let attempt = 0; attempt < 4; attempt++) {
      server.latest.drop(1006);
      await settle();
      await retry();
    }
    expect(server.sockets.map(({ protocols }) => protocols[1])).toEqual(['asked', 'n1', 'n1', 'n1', 'asked'].map((ticket) => `colink.ticket.${ticket}`));
  });

  it('forgets the ticket of a credential that has ended, and takes that of the one it goes on with (P34, P50)', async () => {
    const { server, retry, clock } = await connect({ ticket: async () => 'asked' });
    server.latest.welcome({ seq: 5, recovered: true, next_ticket: 'old' });
    server.latest.drop(4001);
    await retry();
    server.latest.welcome({ seq: 5, recovered: true, next_ticket: 'old' });
    server.latest.deliver({ type: 'auth.expiring', expires_at: new Date(clock.now() + 60_000).toISOString() });
    await clock.advance(30_000);
    server.latest.deliver({ type: 'result', re: 'refresh', ok: { expires_at: 'later', next_ticket: 'new' } });
    server.latest.drop(1012);
    await retry();
    expect(server.sockets.map(({ protocols }) => protocols[1])).toEqual(['asked', 'asked', 'new'].map((ticket) => `colink.ticket.${ticket}`));
  });

  it('waits where a ticket cannot be had now, and closes where it never will be', async () => {
    const away = await connect({ ticket: () => Promise.reject(new NetworkError('away')) });
    expect(away.connection.state).toMatchObject({ name: 'waiting', reason: 'unreachable' });
    const signedOut = await connect({ ticket: () => Promise.reject(problem('unauthenticated')) });
    expect(signedOut.connection.state).toEqual({ name: 'closed', reason: 'unauthenticated' });
  });

  it('opens nothing with a ticket that comes after it was stopped', async () => {
    const ticket = Promise.withResolvers<string>();
    const { server, connection } = await connect({ ticket: () => ticket.promise });
    connection.stop();
    ticket.resolve('late');
    await settle();
    expect(server.sockets).toEqual([]);
  });

  it('finds out why a handshake failed', async () => {
    const gone = await connect({ diagnose: () => Promise.reject(problem('not_a_member')) });
    gone.server.latest.drop(1006);
    await settle();
    expect(gone.connection.state).toEqual({ name: 'closed', reason: 'not_a_member' });
    const well = await connect({ diagnose: () => Promise.resolve() });
    well.server.latest.drop(1006);
    await settle();
    expect(well.connection.state.name).toBe('waiting');
  });

  it.each(rules.filter(([, rule]) => !rule.reconnect))('ends after a close %s (P37)', async (code, rule) => {
    const { server, connection } = await open();
    server.latest.drop(Number(code));
    expect(connection.state).toEqual({ name: 'closed', reason: rule.name });
  });

  it.each(rules.filter(([, rule]) => rule.reconnect))('comes back after a close %s the way the table says (P37)', async (code, rule) => {
    const { server, connection, waits, retry } = await open();
    server.latest.drop(Number(code));
    expect(connection.state).toMatchObject({ name: 'waiting', reason: rule.name });
    // Half of the ceiling: 0.5 s at the first attempt of `jitter`, 30 s for `slow`.
    expect(waits()).toBe(rule.backoff === 'slow' ? 15_000 : 250);
    await retry();
    expect(server.sockets).toHaveLength(2);
    expect(server.latest.url.search).toBe(rule.resume ? '?epoch=1&since=5' : '');
  });

  it('backs off further with every attempt, and starts over once a connection has lasted (P38)', async () => {
    const { server, clock, waits, retry } = await open();
    const waited: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      server.latest.drop(1006);
      waited.push(waits());
      await retry();
    }
    expect(waited).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    server.latest.welcome({ seq: 5, recovered: true });
    await clock.advance(10_000);
    server.latest.drop(1006);
    expect(waits()).toBe(250);
  });

  it('attempts at once when woken while it waits', async () => {
    const { server, connection } = await open();
    server.latest.drop(1006);
    connection.wake();
    await settle();
    expect(server.sockets).toHaveLength(2);
  });

  it('pings, and gives up a socket that does not answer', async () => {
    const { server, clock, connection } = await open();
    await clock.advance(25_000);
    server.latest.deliver('pong');
    await clock.advance(25_000);
    expect(server.latest.sent).toEqual([JSON.stringify(hello), 'ping', 'ping']);
    await clock.advance(9_999);
    expect(connection.state.name).toBe('open');
    await clock.advance(1);
    expect(connection.state).toMatchObject({ name: 'waiting', reason: 'abnormal' });
    expect(server.sockets[0]?.closed).toBe(true);
  });

  it('gives up a handshake without a welcome after 15 s', async () => {
    const { clock, connection } = await connect();
    await clock.advance(15_000);
    expect(connection.state.name).toBe('waiting');
  });

  it('passes on what is beside the log, and lives with frames it does not know (P46)', async () => {
    const { server, told, connection } = await open();
    server.latest.deliver({ type: 'typing', users: [] });
    server.latest.deliverText('{"type":"of.tomorrow","x":1}');
    expect(told).toEqual(['typing', 'of.tomorrow']);
    expect(connection.state.name).toBe('open');
  });

  it('leaves no timer behind when stopped', async () => {
    const { server, clock, connection } = await open();
    server.latest.deliver(frame(6, 6));
    connection.stop();
    expect(clock.pending).toBe(0);
    expect(connection.state).toEqual({ name: 'closed', reason: 'stopped' });
  });
});

describe('acknowledgements', () => {
  it('answer the welcome, so that whatever ends the socket later ends it at once (P11)', async () => {
    const { server } = await open();
    expect(server.latest.frames).toEqual([hello]);
  });

  it('do not leave for a few events, however long it is quiet (P19)', async () => {
    const { server, clock } = await open();
    server.latest.deliver(frame(6, 9));
    await clock.advance(20_000);
    expect(server.latest.frames).toEqual([hello]);
  });

  it('G8: leave at once after 200 events (P19)', async () => {
    const { server } = await open();
    server.latest.deliver(frame(6, 205));
    expect(server.latest.frames).toEqual([hello, { type: 'ack', seq: 205 }]);
  });

  it('G8: leave at once while catching up, where the window would hold the server back (P19)', async () => {
    const { server } = await connect();
    server.latest.welcome({ seq: 5, head: 40, recovered: true });
    server.latest.deliver(frame(6, 20));
    expect(server.latest.frames).toEqual([hello, { type: 'ack', seq: 20 }]);
    server.latest.deliver(frame(21, 40));
    expect(server.latest.frames).toHaveLength(2);
  });
});
