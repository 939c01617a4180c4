import { beforeEach, expect, it } from 'vitest';
import { ALICE, conversation, NOW } from '../../tests/support/room-core.ts';
import { Archive } from '../log/archive.ts';
import { Fanout } from '../sockets/fanout.ts';
import { freshRecord, type RoomSocket } from '../sockets/socket-record.ts';
import { NodePresence } from './node-presence.ts';

class Socket implements RoomSocket {
  readonly got: string[] = [];
  send(frame: string): void {
    this.got.push(frame);
  }
  close(): void {}
  save(): void {}
}

let now: number;
let looks: number;
let isAway: boolean;
let timers: (() => void)[];
let fanout: Fanout<Socket>;
let presence: NodePresence<Socket>;

beforeEach(() => {
  [now, looks, timers, isAway] = [NOW, 0, [], false];
  const archive = new Archive({ eventsBetween: async () => [], poisonBetween: async () => [], failed: () => {} });
  fanout = new Fanout<Socket>(conversation().log, archive, { clock: () => now, schedule: () => {}, unsettled: () => {}, closed: () => {}, caughtUp: () => {} });
  presence = new NodePresence(fanout, { clock: () => now, schedule: (_, task) => void timers.push(task), look, count: () => {} });
});

async function look(): Promise<void> {
  looks += 1;
  if (isAway) throw new Error('the room is away');
}

/** What was asked has been answered, and time passes up to the next timer. */
async function passTo(ms: number): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  now += ms;
  for (const timer of timers.splice(0)) timer();
}

function join(watching = true): Socket {
  const socket = new Socket();
  fanout.join(socket, freshRecord({ session: 's', actor: ALICE, epoch: 1 }, 0));
  if (watching) presence.watch(socket, true);
  return socket;
}

it('asks the room for the first who looks, and gives the next what was told last', () => {
  const first = join();
  presence.told({ full: 'full 1', diff: null, at: 1 });
  presence.told({ full: 'full 2', diff: 'diff 2', at: 2 });
  const second = join();
  expect([first.got, second.got, looks]).toEqual([['full 1', 'diff 2'], ['full 2'], 1]);
});

it('passes over what a newer telling has overtaken, and tells nobody who does not look', () => {
  const [looking, other] = [join(), join(false)];
  presence.told({ full: 'full 2', diff: null, at: 2 });
  presence.told({ full: 'full 1', diff: 'diff 1', at: 1 });
  presence.watch(looking, false);
  presence.told({ full: 'full 3', diff: 'diff 3', at: 3 });
  expect([looking.got, other.got]).toEqual([['full 2'], []]);
});

it('gives a socket all of it once a second at most, however often it asks (G8)', () => {
  const socket = join();
  presence.told({ full: 'full 1', diff: null, at: 1 });
  for (let n = 0; n < 50; n++) {
    presence.watch(socket, false);
    presence.watch(socket, true);
  }
  expect(socket.got).toEqual(['full 1']);
  now += 1_000;
  for (const task of timers.splice(0)) task();
  expect(socket.got).toEqual(['full 1', 'full 1']);
});

it('knows the sockets of an earlier instance that look', () => {
  const socket = new Socket();
  fanout.adopt(socket, { ...freshRecord({ session: 's', actor: ALICE, epoch: 1 }, 0), watching: true });
  presence.adopt(socket);
  presence.told({ full: 'full 1', diff: 'diff 1', at: 1 });
  expect(socket.got).toEqual(['diff 1']);
});

it('has the room tell again what is old, for something newer may have got lost', () => {
  join();
  presence.told({ full: 'full 1', diff: null, at: 1 });
  now += 11_000;
  const late = join();
  expect([late.got, looks]).toEqual([['full 1'], 2]);
  presence.told({ full: 'full 2', diff: null, at: 2 });
  expect(late.got).toEqual(['full 1', 'full 2']);
});

it('asks again where its call got lost, twice as late each time, and not without end (G4, G8)', async () => {
  isAway = true;
  join();
  for (const wait of [1_000, 2_000, 4_000]) await passTo(wait);
  expect(looks).toBe(4);
  for (let n = 0; n < 20; n++) await passTo(60_000);
  expect([looks, timers]).toEqual([7, []]);
});

it('asks no more once it was told, or nobody looks (G8)', async () => {
  isAway = true;
  const socket = join();
  await passTo(1_000);
  presence.told({ full: 'full 1', diff: null, at: 1 });
  await passTo(2_000);
  expect([looks, socket.got, timers]).toEqual([2, ['full 1'], []]);
  now += 20_000;
  const other = join();
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  presence.left(other);
  await passTo(4_000);
  expect([looks, timers]).toEqual([3, []]);
});

it('an instance that takes over a socket which was not told all of it yet asks, and gives it (G4)', () => {
  const socket = new Socket();
  fanout.join(socket, { ...freshRecord({ session: 's', actor: ALICE, epoch: 1 }, 0), watching: true, owed: true });
  presence.adopt(socket);
  expect(looks).toBe(1);
  presence.told({ full: 'full 1', diff: 'diff 1', at: 1 });
  expect([socket.got, fanout.record(socket)?.owed]).toEqual([['full 1'], false]);
  const told = new Socket();
  fanout.join(told, { ...freshRecord({ session: 't', actor: ALICE, epoch: 1 }, 0), watching: true });
  presence.adopt(told);
  expect([looks, told.got]).toEqual([1, []]);
});
