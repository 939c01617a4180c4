import { beforeEach, describe, expect, it } from 'vitest';
import { ALICE, conversation, NOW } from '../../tests/support/room-core.ts';
import { Archive } from '../log/archive.ts';
import { Fanout } from './fanout.ts';
import { freshRecord, type RoomSocket } from './socket-record.ts';

class Socket implements RoomSocket {
  closed: number | null = null;
  send(): void {}
  close(code: number): void {
    this.closed = code;
  }
  save(): void {}
}

let now: number;
let fanout: Fanout<Socket>;
const record = freshRecord({ session: 's', actor: ALICE, epoch: 1 }, 0);
const sockets = [new Socket(), new Socket(), new Socket()] as const;

beforeEach(() => {
  now = NOW;
  const archive = new Archive({ eventsBetween: async () => [], poisonBetween: async () => [], failed: () => {} });
  fanout = new Fanout<Socket>(conversation().log, archive, { clock: () => now, schedule: () => {}, unsettled: () => {}, closed: () => {}, caughtUp: () => {} });
  for (const socket of sockets) socket.closed = null;
});

describe('dead sockets', () => {
  it('are those without a ping or a frame for three heartbeats (P40)', () => {
    const [dead, pinging, acking] = sockets;
    for (const socket of sockets) fanout.join(socket, record);
    now += 80_000;
    fanout.heard(acking);
    fanout.reap((socket) => (socket === pinging ? now - 20_000 : 0));
    expect([dead.closed, pinging.closed, acking.closed]).toEqual([1001, null, null]);
  });

  it('are found by the next instance too, by their last ping; one that has never pinged gets three heartbeats more', () => {
    const [dead, pinging, silent] = sockets;
    for (const socket of sockets) fanout.adopt(socket, record);
    fanout.reap((socket) => (socket === silent ? 0 : now - (socket === pinging ? 20_000 : 76_000)));
    expect([dead.closed, pinging.closed, silent.closed]).toEqual([1001, null, null]);
    now += 80_000;
    fanout.reap((socket) => (socket === pinging ? now : 0));
    expect([pinging.closed, silent.closed]).toEqual([null, 1001]);
  });
});
