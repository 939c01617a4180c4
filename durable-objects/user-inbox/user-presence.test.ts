import { beforeEach, describe, expect, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import type { PresenceChoice, PresenceEvent, PresenceState } from '../../protocol/presence.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { id } from '../../tests/support/room-core.ts';
import { seedsOfRun } from '../../tests/support/seed.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { CLOSED_MS, type Lease, LEASE_MS, leaseUntil, longer, NO_LEASE } from './presence.ts';
import type { PresenceNotice } from './presence-api.ts';
import { noticeOf, PresenceTable } from './presence-table.ts';
import { UserPresence } from './user-presence.ts';

const [USER, ROOM] = [id(2, 1), id(1, 1)];
const START = 1_000_000;
const EVERY_MS = 5_000;

/** A socket as the inbox knows it. One that is dead pings no more, and nobody says so. */
interface Socket {
  heardAt: number;
  idle: boolean;
  dead: boolean;
}

/** One user's inbox with its sockets, its clock and its alarm, as the platform would run it. */
class World {
  now = START;
  readonly sql: SqlDriver = nodeSqlite();
  sockets = new Set<Socket>();
  alarmAt: number | null = null;
  wakeUps = 0;
  looking = true;
  away = false;
  roomAway = false;
  readonly notices: PresenceNotice[] = [];
  readonly transitions: string[] = [];
  readonly events: PresenceEvent[] = [];
  table = new PresenceTable(this.sql);
  presence = this.#instance();

  get states(): PresenceState[] {
    return this.notices.map(({ presence }) => presence.state);
  }

  connect(idle = false): Socket {
    const socket = { heardAt: this.now, idle, dead: false };
    this.sockets.add(socket);
    this.presence.update();
    return socket;
  }

  turn(socket: Socket, idle: boolean): void {
    Object.assign(socket, { idle, heardAt: this.now });
    this.presence.update();
  }

  close(socket: Socket): void {
    this.sockets.delete(socket);
    this.presence.closed(socket.idle);
  }

  /** A deploy: the sockets are gone, and nobody was told. */
  restart(): void {
    this.sockets.clear();
    this.presence = this.#instance();
    this.presence.resume();
  }

  /** The object slept and wakes: what was in memory is gone. */
  reopen(): void {
    this.presence = this.#instance();
    this.presence.resume();
  }

  /** Lets time pass: clients ping every 25 s, alarms ring, calls end. `asleep`: the object is another instance at each alarm. */
  async pass(ms: number, asleep = false): Promise<void> {
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(end, this.alarmAt ?? end);
      for (const socket of this.sockets) if (!socket.dead) socket.heardAt += Math.floor((this.now - socket.heardAt) / 25_000) * 25_000;
      if (this.alarmAt !== null && this.alarmAt <= this.now) this.#ring(asleep);
      await settled();
    }
  }

  #ring(asleep: boolean): void {
    this.alarmAt = null;
    this.wakeUps += 1;
    if (this.wakeUps > 10_000) throw new Error('it rings without end');
    if (asleep) this.reopen();
    this.presence.update();
  }

  #instance(): UserPresence {
    this.table = new PresenceTable(this.sql);
    return new UserPresence(USER, this.table, {
      clock: () => this.now,
      random: () => 0.5,
      newId: () => id(9, this.events.length),
      lease: () => [...this.sockets].reduce<Lease>((lease, { heardAt, idle }) => longer(lease, leaseUntil(heardAt + LEASE_MS, idle)), NO_LEASE),
      transition: (to, leaseExpired) => void this.transitions.push(leaseExpired ? `${to}, silent` : to),
      setAlarm: (at) => void (this.alarmAt = at),
      tellRoom: async (_, notice) => {
        if (this.away || this.roomAway) throw new Error('the room is away');
        if (this.looking) this.notices.push(notice);
        return this.looking;
      },
      log: async (event) => {
        if (this.away) throw new Error('Postgres is away');
        this.events.push(event);
      },
      warn: () => {},
    });
  }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 60; turn++) await Promise.resolve();
};

let world: World;
beforeEach(() => {
  world = new World();
  world.table.watch(USER, ROOM);
});

describe('a user', () => {
  it('is online with a socket, away when all are idle, and offline 10 s after the last was closed (P49)', async () => {
    const [phone, desk] = [world.connect(), world.connect()];
    await world.pass(60_000);
    world.turn(phone, true);
    await world.pass(60_000);
    expect(world.states).toEqual(['online']);
    world.turn(desk, true);
    await world.pass(60_000);
    world.close(phone);
    world.close(desk);
    await world.pass(CLOSED_MS - 1);
    expect(world.states).toEqual(['online', 'away']);
    await world.pass(1);
    expect(world.states).toEqual(['online', 'away', 'offline']);
  });

  it('goes with the lease of a socket that died without a word, not before (P49)', async () => {
    const socket = world.connect();
    await world.pass(60_000);
    socket.dead = true;
    const end = socket.heardAt + LEASE_MS;
    await world.pass(end - 1 - world.now);
    expect(world.states).toEqual(['online']);
    await world.pass(1);
    expect(world.states).toEqual(['online', 'offline']);
    expect(world.transitions).toEqual(['online', 'offline, silent']);
    expect(world.alarmAt).toBeNull();
  });

  it('does not flicker when a page is loaded anew', async () => {
    let socket = world.connect();
    for (let n = 0; n < 5; n++) {
      await world.pass(7_000);
      world.close(socket);
      await world.pass(CLOSED_MS - 500);
      socket = world.connect();
    }
    expect(world.states).toEqual(['online']);
  });

  it('does not flicker when a deploy ends all sockets without a word, and goes if nobody comes back', async () => {
    world.connect();
    await world.pass(30_000);
    world.restart();
    await world.pass(60_000, true);
    world.connect();
    await world.pass(60_000, true);
    expect(world.states).toEqual(['online']);
    world.restart();
    await world.pass(2 * LEASE_MS, true);
    expect(world.states).toEqual(['online', 'offline']);
  });

  it('whose last socket was closed is offline in time, though the inbox slept meanwhile', async () => {
    const socket = world.connect();
    await world.pass(30_000, true);
    world.close(socket);
    await world.pass(CLOSED_MS, true);
    expect(world.states).toEqual(['online', 'offline']);
    expect(world.transitions).toEqual(['online', 'offline']);
  });
});

describe('a choice', () => {
  it('goes above activity, but nobody is anything without a socket (P49)', async () => {
    world.presence.choose({ choice: 'dnd', status: null, version: 1 });
    await world.pass(10_000);
    expect(world.states).toEqual([]);
    world.turn(world.connect(), true);
    await world.pass(10_000);
    world.presence.choose({ choice: 'away', status: null, version: 2 });
    await world.pass(10_000);
    expect(world.states).toEqual(['dnd', 'away']);
  });

  it('of offline looks to others like being away from all devices, whatever happens on them', async () => {
    world.presence.choose({ choice: 'offline', status: null, version: 1 });
    const socket = world.connect();
    for (const idle of [true, false]) {
      world.turn(socket, idle);
      await world.pass(20_000);
    }
    expect([world.notices, world.events, world.alarmAt]).toEqual([[], [], null]);
  });

  it('that comes late or again changes nothing (G2)', () => {
    const wish = { choice: 'dnd', status: null, version: 2 } as const;
    expect([wish, wish, { ...wish, version: 1 }].map((each) => world.presence.choose(each))).toEqual([true, false, false]);
  });

  it('of a status ends in time, also while nobody is connected (P49)', async () => {
    const status = { text: 'On a walk', emoji: null, expires_at: new Date(START + 3_600_000).toISOString() };
    world.presence.choose({ choice: 'auto', status, version: 1 });
    await world.pass(3_599_999, true);
    expect(world.notices.map(({ presence }) => presence.status)).toEqual([status]);
    await world.pass(1, true);
    expect(world.notices.at(-1)?.presence).toEqual({ user_id: USER, state: 'offline', status: null });
    expect(world.wakeUps).toBe(1);
  });
});

describe('telling', () => {
  it('is at most once in 5 s, and the last of a flutter is told (P27)', async () => {
    const socket = world.connect();
    const times: number[] = [];
    for (let n = 0; n < 50; n++) {
      const before = world.notices.length;
      await world.pass(700);
      if (world.notices.length > before) times.push(world.now);
      world.turn(socket, n % 2 === 0);
    }
    await world.pass(EVERY_MS);
    expect(world.states.at(-1)).toBe('online');
    expect(times.length).toBeLessThanOrEqual(35_000 / EVERY_MS + 1);
  });

  it('ends with the room in which nobody looks, without a renewal', async () => {
    const socket = world.connect();
    await world.pass(6_000);
    world.looking = false;
    world.turn(socket, true);
    await world.pass(6_000);
    world.looking = true;
    world.turn(socket, false);
    await world.pass(6_000);
    expect([world.states, world.events.length]).toEqual([['online'], 3]);
    expect(world.table.watch(USER, ROOM)).toMatchObject({ watching: true, version: 3, presence: { state: 'online' } });
  });

  it('reaches room and Postgres once they are back, with what is so then', async () => {
    world.away = true;
    const socket = world.connect();
    await world.pass(20_000);
    world.turn(socket, true);
    await world.pass(60_000, true);
    world.away = false;
    await world.pass(31_000, true);
    expect(world.states).toEqual(['away']);
    expect(world.events.map(({ state }) => state)).toEqual(['away']);
  });

  it('wakes nobody for a room that could not be told and has asked again itself since', async () => {
    world.roomAway = true;
    world.connect();
    await world.pass(100);
    world.table.watch(USER, ROOM);
    const before = world.wakeUps;
    await world.pass(60_000);
    expect(world.wakeUps - before).toBeLessThan(4);
  });

  it('is of at most 500 rooms; another is answered, and told of no change (G8)', () => {
    const answers = Array.from({ length: 501 }, (_, n) => world.table.watch(USER, id(5, n)).watching);
    expect(answers.filter(Boolean)).toHaveLength(499);
    expect(world.table.watch(USER, ROOM).watching).toBe(true);
  });
});

it('1,000 people who are there and do nothing wake nobody: an inbox rings once in a lease at most, and tells nothing', async () => {
  const worlds = Array.from({ length: 1_000 }, (_, n) => {
    const each = new World();
    each.now += n * 25;
    each.table.watch(USER, ROOM);
    each.connect();
    return each;
  });
  await settled();
  for (const each of worlds) await each.pass(3_600_000, true);
  const rings = worlds.map(({ wakeUps }) => wakeUps);
  expect(Math.max(...rings)).toBeLessThanOrEqual(3_600_000 / 50_000);
  expect(new Set(worlds.map(({ notices, events }) => `${notices.length} ${events.length}`))).toEqual(new Set(['1 1']));
}, 60_000);

/** The rules as one would say them: who vouches until when, kept beside what the inbox does. */
class Rules {
  readonly #vouching = new Map<Socket, number>();
  choice: PresenceChoice = 'auto';

  vouch(socket: Socket, until: number): void {
    this.#vouching.set(socket, until);
  }

  state(now: number): PresenceState {
    const there = [...this.#vouching].filter(([, until]) => until > now).map(([{ idle }]) => idle);
    if (there.length === 0 || this.choice === 'offline') return 'offline';
    if (this.choice !== 'auto') return this.choice;
    return there.includes(false) ? 'online' : 'away';
  }
}

it.each(seedsOfRun(3))('follows the rules through any history of sockets, deaths, sleep and choices, seed %i', async (seed) => {
  const random = seededRandom(seed);
  const rules = new Rules();
  const open: Socket[] = [];
  const take = (): Socket | undefined => open.splice(integer(random, open.length), 1)[0];
  const steps: Record<string, () => void> = {
    connect: () => {
      const socket = world.connect(random() < 0.3);
      open.push(socket);
      rules.vouch(socket, Infinity);
    },
    close: () => {
      const socket = take();
      if (socket === undefined) return;
      rules.vouch(socket, world.now + CLOSED_MS);
      world.close(socket);
    },
    die: () => {
      const socket = take();
      if (socket === undefined) return;
      rules.vouch(socket, socket.heardAt + LEASE_MS);
      socket.dead = true;
    },
    turn: () => {
      const socket = open[0];
      if (socket !== undefined) world.turn(socket, random() < 0.5);
    },
    choose: () => {
      rules.choice = pick(random, ['auto', 'away', 'dnd', 'offline'] as const);
      world.presence.choose({ choice: rules.choice, status: null, version: world.now });
    },
    sleep: () => world.reopen(),
  };
  for (let n = 0; n < 400; n++) {
    pick(random, Object.values(steps))();
    await world.pass(1 + integer(random, 40_000), random() < 0.5);
    if (random() < 0.5) await world.pass(EVERY_MS);
    const isSettled = world.alarmAt === null || world.alarmAt - world.now > EVERY_MS;
    const told = isSettled ? world.table.row.told.state : rules.state(world.now);
    expect({ seed, n, told }).toEqual({ seed, n, told: rules.state(world.now) });
  }
  expect(world.notices.at(-1)).toEqual(noticeOf(USER, world.table.row.told));
  expect(new Set(world.states).size).toBe(4);
});
