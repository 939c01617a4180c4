import { expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { actor, conversation, NOW } from '../../tests/support/room-core.ts';
import { Alarms } from '../alarms.ts';
import type { RoomSocket, SocketRecord } from '../sockets/socket-record.ts';
import { SOCKET_LIMITS, SWEEP_MS } from '../sockets/socket-limits.ts';
import { NodeTable } from './node-table.ts';
import { PresenceCache } from './presence-cache.ts';
import { ROOM_ALARMS } from './room-alarms.ts';
import { Room } from './room.ts';
import type { RoomPorts } from './room-ports.ts';
import type { RoomRecord } from './room-record.ts';

class Socket implements RoomSocket {
  readonly frames: string[] = [];
  record: SocketRecord | null = null;
  send(frame: string): void {
    this.frames.push(frame);
  }
  close(): void {}
  save(record: SocketRecord): void {
    this.record = record;
  }
}

const away = (): Promise<never> => Promise.reject(new Error('away'));
const record: RoomRecord = {
  readChannel: away, findEditWindow: away, drainBatch: away, skipPoison: away, eventsBetween: away, poisonBetween: away, findLogPlace: away, moveLog: away, keepForkedEvents: away,
  findMembership: away, isDataFault: () => false, rest: () => true,
};

/** A room with so many members, each with a socket that looks who is present; its clock, its timers and its inboxes. */
class World {
  now = NOW;
  readonly sql = nodeSqlite();
  readonly actors: ReturnType<typeof actor>[];
  readonly sockets: Socket[] = [];
  timers: { readonly at: number; readonly task: () => void }[] = [];
  asked = 0;
  /** They ping no more. */
  readonly silent = new Set<Socket>();
  readonly room: Room<Socket>;

  constructor(people: number) {
    this.actors = Array.from({ length: people }, (_, n) => ({ ...actor(n + 1), expires_at: Number.MAX_SAFE_INTEGER }));
    const members = Object.fromEntries(this.actors.map(({ user_id }) => [user_id, 'member'] as const));
    this.room = new Room(conversation({ sql: this.sql, members }), this.#ports());
  }

  async enter(): Promise<void> {
    for (const who of this.actors) {
      const socket = new Socket();
      this.sockets.push(socket);
      await this.room.join({ channel_id: this.room.channelId, actor: who, since: null }, () => socket);
      await this.room.message(socket, JSON.stringify({ type: 'ack', seq: 0 }));
      await this.room.message(socket, JSON.stringify({ type: 'watch', presence: true }));
    }
  }

  /** Runs the timers that fall due, and says how many did. */
  async pass(ms: number): Promise<number> {
    let ran = 0;
    for (const end = this.now + ms; this.now < end; await new Promise(setImmediate)) {
      const [next] = this.timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
      this.now = next?.at ?? end;
      if (next === undefined) continue;
      this.timers.splice(this.timers.indexOf(next), 1);
      ran += 1;
      next.task();
    }
    return ran;
  }

  get alarms(): (string | undefined)[] {
    return this.sql.all<{ purpose: string }>('SELECT purpose FROM alarms').map(({ purpose }) => purpose);
  }

  presenceOf(socket: Socket | undefined): unknown {
    return socket?.frames.map((frame) => JSON.parse(frame)).findLast(({ type }) => type === 'presence');
  }

  #ports(): RoomPorts<Socket> {
    return {
      clock: () => this.now,
      random: () => 0.5,
      schedule: (ms, task) => void this.timers.push({ at: this.now + ms, task }),
      durable: async () => {},
      alarms: new Alarms(this.sql, ROOM_ALARMS, { setAlarm: () => {}, clearAlarm: () => {} }),
      record,
      presences: new PresenceCache(this.sql),
      watchInbox: async (user_id) => {
        this.asked += 1;
        return { presence: { user_id, state: 'online', status: null }, version: 1, watching: true };
      },
      nodes: new NodeTable(this.sql),
      node: () => ({ publish: away, tell: away, closeWhere: away }),
      limits: SOCKET_LIMITS,
      report: () => {},
      warn: () => {},
      lastPing: (socket) => (this.silent.has(socket) ? NOW + 1 : this.now),
      redeem: away,
      restart: () => {},
    };
  }
}

/** The sweep of a large channel is once in five minutes. */
it.each([
  ['1,000', 1_000, { users: null, present: 1_000 }, 0],
  ['200', 200, { present: 200 }, 200],
])('an idle room of %s present people who look sleeps: it has told all of them, and nothing runs', async (_, people, told, asked) => {
  const world = new World(people);
  await world.enter();
  await world.pass(30_000);
  expect(new Set(world.sockets.map((socket) => JSON.stringify(world.presenceOf(socket)))).size).toBeLessThanOrEqual(2);
  expect(world.presenceOf(world.sockets.at(-1))).toMatchObject(told);
  expect(world.asked).toBe(asked);
  expect([world.timers.length, await world.pass(8 * 3_600_000), world.alarms.filter((purpose) => purpose !== 'auth')]).toEqual([0, 0, people > 200 ? ['sweep'] : []]);
}, 60_000);

it('a large room that somebody looks at counts out who died without a word, with the sweep, and is swept again', async () => {
  const world = new World(300);
  await world.enter();
  await world.pass(30_000);
  for (const socket of world.sockets.slice(0, 100)) world.silent.add(socket);
  await world.pass(SWEEP_MS);
  expect(world.presenceOf(world.sockets.at(-1))).toMatchObject({ present: 300 });
  await world.room.alarm();
  await world.pass(10_000);
  expect(world.presenceOf(world.sockets.at(-1))).toMatchObject({ present: 200 });
  expect(world.alarms).toContain('sweep');
}, 60_000);
