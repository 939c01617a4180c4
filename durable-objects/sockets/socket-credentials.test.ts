import { beforeEach, describe, expect, it } from 'vitest';
import type { Problem } from '../../protocol/errors.ts';
import { type ServerFrame, serverFrameSchema } from '../../protocol/frames.ts';
import { actor, ALICE, BOB, conversation, NOW } from '../../tests/support/room-core.ts';
import type { Actor, Redeemed } from './actor-api.ts';
import { Fanout } from './fanout.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from './socket-record.ts';
import { SocketCredentials } from './socket-credentials.ts';

class FakeSocket implements RoomSocket {
  readonly frames: ServerFrame[] = [];
  closed: number | null = null;
  saved: SocketRecord | null = null;
  send(frame: string): void {
    this.frames.push(serverFrameSchema.parse(JSON.parse(frame)));
  }
  close(code: number): void {
    this.closed = code;
  }
  save(record: SocketRecord): void {
    this.saved = record;
  }
}

const HOUR = 3_600_000;
const iso = (at: number): string => new Date(at).toISOString();

let now: number;
let alarm: number | null;
let fanout: Fanout<FakeSocket>;
let credentials: SocketCredentials<FakeSocket>;
let redeem: (userId: string, ticket: string) => Promise<Redeemed | null>;
let refusal: Problem | null;
const log = () => conversation().log;

function instance(): void {
  fanout = new Fanout<FakeSocket>(log(), { read: async () => null }, { clock: () => now, schedule: () => {}, unsettled: () => {}, closed: () => {}, caughtUp: () => {} });
  credentials = new SocketCredentials(fanout, {
    clock: () => now,
    alarmAt: () => alarm,
    setAlarm: (at) => {
      alarm = at;
    },
    clearAlarm: () => {
      alarm = null;
    },
    redeem: (userId, ticket) => redeem(userId, ticket),
    refusal: () => refusal,
  });
}

function join(who: Actor): FakeSocket {
  const socket = new FakeSocket();
  fanout.join(socket, freshRecord({ session: 's', actor: who, epoch: 1 }, 0));
  credentials.watch(socket);
  return socket;
}

/** What the alarm does when it rings at its time. */
function ring(): void {
  now = alarm ?? now;
  alarm = null;
  credentials.check();
}

const until = (ms: number, who: Actor = ALICE): Actor => ({ ...who, expires_at: NOW + ms });

beforeEach(() => {
  [now, alarm, refusal] = [NOW, null, null];
  redeem = async () => null;
  instance();
});

describe('SocketCredentials', () => {
  it('tells a socket 60 s before its credential ends, and closes it at the end (P33, P35)', () => {
    const socket = join(until(HOUR));
    expect([socket.frames, alarm]).toEqual([[], NOW + HOUR - 60_000]);
    ring();
    expect([socket.frames, alarm]).toEqual([[{ type: 'auth.expiring', expires_at: iso(NOW + HOUR) }], NOW + HOUR]);
    ring();
    expect([socket.closed, alarm, fanout.size, socket.frames.length]).toEqual([4001, null, 0, 1]);
  });

  it('tells at once where less than 60 s is left (P33)', () => {
    const socket = join(until(20_000));
    expect([socket.frames, alarm]).toEqual([[{ type: 'auth.expiring', expires_at: iso(NOW + 20_000) }], NOW + 20_000]);
  });

  it('rings for the earliest of all, and closes none before its end (G5)', () => {
    const [late, early] = [join(until(HOUR, BOB)), join(until(HOUR / 2))];
    expect(alarm).toBe(NOW + HOUR / 2 - 60_000);
    ring();
    ring();
    expect([early.closed, late.closed, late.frames, alarm]).toEqual([4001, null, [], NOW + HOUR - 60_000]);
  });

  it('tells those together whose time is a few seconds apart', () => {
    const sockets = [0, 1_000, 4_000].map((ms) => join(until(HOUR + ms)));
    ring();
    expect(sockets.map(({ frames }) => frames.length)).toEqual([1, 1, 1]);
    expect(alarm).toBe(NOW + HOUR);
  });

  it('remembers across instances what it has told', () => {
    const socket = join(until(20_000));
    const { saved } = socket;
    instance();
    if (saved !== null) fanout.adopt(socket, saved);
    credentials.check();
    expect([socket.frames.length, alarm]).toEqual([1, NOW + 20_000]);
  });

  it('rings once for nothing when the socket has left', () => {
    const socket = join(until(HOUR));
    fanout.leave(socket);
    ring();
    expect(alarm).toBeNull();
  });
});

describe('a refresh', () => {
  const fresh: Actor = { ...until(2 * HOUR), credential_id: actor(7).credential_id };
  const redeemed = (actor: Actor): Redeemed => ({ actor, next_ticket: 'next' });

  it('goes on with the new credential, and forgets the old one (G5, P34)', async () => {
    const socket = join(until(30_000));
    redeem = async (userId, ticket) => (userId === ALICE.user_id && ticket === 't' ? redeemed(fresh) : null);
    expect(await credentials.refresh(socket, 't')).toEqual({ ok: { expires_at: iso(fresh.expires_at), next_ticket: 'next' } });
    expect(socket.saved).toMatchObject({ actor: fresh, noticed: false });
    fanout.closeWhere((record) => record.actor.credential_id === ALICE.credential_id, 4001, 'revoked');
    ring();
    expect([socket.closed, alarm]).toEqual([null, fresh.expires_at - 60_000]);
    fanout.closeWhere((record) => record.actor.credential_id === fresh.credential_id, 4001, 'revoked');
    expect(socket.closed).toBe(4001);
  });

  it.each([
    ['a void ticket', async () => null, null, 'unauthenticated'],
    ['a ticket of another user', async () => redeemed(BOB), null, 'unauthenticated'],
    ['a ticket of a revoked credential', async () => redeemed(fresh), { code: 'unauthenticated' }, 'unauthenticated'],
    ['a ticket of who is no member any more', async () => redeemed(fresh), { code: 'not_a_member' }, 'not_a_member'],
    ['an inbox that cannot be reached', async () => Promise.reject(new Error('away')), null, 'unavailable'],
  ] satisfies [string, () => Promise<Redeemed | null>, Problem | null, string][])('with %s leaves the socket as it was (P34)', async (_, answer, problem, code) => {
    const socket = join(until(30_000));
    const before = socket.saved;
    [redeem, refusal] = [answer, problem];
    expect(await credentials.refresh(socket, 't')).toMatchObject({ problem: { code } });
    expect([socket.saved, socket.closed]).toEqual([before, null]);
  });

  it('is one at a time (G8)', async () => {
    const socket = join(until(30_000));
    redeem = async () => redeemed(fresh);
    const answers = await Promise.all([credentials.refresh(socket, 'a'), credentials.refresh(socket, 'b')]);
    expect(answers).toMatchObject([{ ok: {} }, { problem: { code: 'rate_limited' } }]);
    expect(await credentials.refresh(socket, 'c')).toHaveProperty('ok');
  });

  it('comes too late for a socket that was closed meanwhile', async () => {
    const socket = join(until(30_000));
    redeem = async () => {
      fanout.close(socket, 4003, 'removed');
      return redeemed(fresh);
    };
    await credentials.refresh(socket, 't');
    expect([fanout.size, socket.saved?.actor]).toEqual([0, until(30_000)]);
  });
});
