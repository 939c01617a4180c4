import { beforeEach, expect, it } from 'vitest';
import { HEARTBEAT_SECONDS } from '../../protocol/limits.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, appendMessages, conversation, NOW } from '../../tests/support/room-core.ts';
import { Alarms } from '../alarms.ts';
import type { Conversation } from '../channel-room/conversation.ts';
import { Fanout } from './fanout.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from './socket-record.ts';
import { TidyLoop } from './tidy-loop.ts';

class Socket implements RoomSocket {
  record: SocketRecord | null = null;
  closed: number | null = null;
  pingedAt = NOW;
  send(): void {}
  close(code: number): void {
    this.closed = code;
  }
  save(record: SocketRecord): void {
    this.record = record;
  }
}

const SILENT_MS = 3 * HEARTBEAT_SECONDS * 1_000;

let alarms: Alarms<'net'>;
let room: Conversation;
let now: number;
let timers: { readonly at: number; readonly task: () => void }[];
let fanout: Fanout<Socket>;
let tidy: TidyLoop<Socket>;
/** Rounds that there still is something to do for. */
let work: number;
let rounds: number;

beforeEach(() => {
  [now, timers, work, rounds] = [NOW, [], 0, 0];
  room = conversation();
  alarms = new Alarms(nodeSqlite(), ['net'], { setAlarm: () => {}, clearAlarm: () => {} });
  const schedule = (ms: number, task: () => void): void => void timers.push({ at: now + ms, task });
  const clock = (): number => now;
  fanout = new Fanout(room.log, { read: async () => null }, { clock, schedule, unsettled: () => tidy.touch(), closed: () => {}, caughtUp: () => {} });
  tidy = new TidyLoop(fanout, {
    alarms,
    clock,
    schedule,
    lastPing: ({ pingedAt }) => pingedAt,
    round: () => {
      rounds += 1;
      work = Math.max(0, work - 1);
      return work === 0;
    },
  });
});

/** Runs the timers that fall due. */
function pass(ms: number): void {
  for (const end = now + ms; now < end; ) {
    const next = timers.findIndex(({ at }) => at <= end);
    const [timer] = next < 0 ? [] : timers.splice(next, 1);
    now = timer?.at ?? end;
    timer?.task();
  }
}

function join(): Socket {
  const socket = new Socket();
  fanout.join(socket, freshRecord({ session: 's', actor: { ...ALICE, expires_at: Number.MAX_SAFE_INTEGER }, epoch: 1 }, room.log.state.seq));
  return socket;
}

it('has one round a second after however much happened, and leaves no timer in a quiet object', () => {
  for (let n = 0; n < 10; n++) tidy.touch();
  pass(999);
  expect([rounds, timers.length]).toEqual([0, 1]);
  pass(1);
  expect([rounds, timers.length]).toEqual([1, 0]);
  pass(3_600_000);
  expect(rounds).toBe(1);
});

it('goes on every second while something is left to do, and begins again when something happens', () => {
  work = 5;
  tidy.touch();
  pass(10_000);
  expect([rounds, timers.length]).toEqual([5, 0]);
  tidy.touch();
  pass(10_000);
  expect(rounds).toBe(6);
});

it('settles the records of sockets within a second of what they were sent (G4)', () => {
  const socket = join();
  fanout.publish(appendMessages(room, 1));
  expect(socket.record).toMatchObject({ settled: false });
  pass(1_000);
  expect(socket.record).toMatchObject({ settled: true, cursor: { sent: 1 } });
});

it('looks for dead sockets once a minute, of its rounds', () => {
  const [dead, alive] = [join(), join()];
  work = 1_000;
  tidy.touch();
  pass(1_000);
  alive.pingedAt = now + SILENT_MS;
  pass(SILENT_MS);
  expect([dead.closed, alive.closed, fanout.size]).toEqual([null, null, 2]);
  pass(60_000);
  expect([dead.closed, alive.closed, fanout.size]).toEqual([1001, null, 1]);
});

it('knows of no dead socket where there are too many (G8)', () => {
  const dead = join();
  expect([tidy.hasLive(1), tidy.hasLive(2)]).toEqual([true, false]);
  now += SILENT_MS + 1;
  expect([tidy.hasLive(1), dead.closed]).toEqual([false, 1001]);
});

it('keeps an alarm for what only this instance knows, until nothing is left to do; what is touched needs none', async () => {
  tidy.touch();
  expect(alarms.at('net')).toBeNull();
  pass(1_000);
  work = 3;
  expect(await tidy.guarded(Promise.resolve('read'))).toBe('read');
  expect(alarms.at('net')).toBe(now + 30_000);
  pass(2_000);
  tidy.guard();
  expect(alarms.at('net')).toBe(now + 28_000);
  pass(1_000);
  expect([alarms.at('net'), timers.length]).toEqual([null, 0]);
});
