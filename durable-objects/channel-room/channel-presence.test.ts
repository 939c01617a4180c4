import { beforeEach, describe, expect, it } from 'vitest';
import { type ServerFrame, serverFrameSchema } from '../../protocol/frames.ts';
import type { PresenceState, UserPresence } from '../../protocol/presence.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { id } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { PresenceNotice } from '../user-inbox/presence-api.ts';
import { ChannelPresence } from './channel-presence.ts';
import { PresenceCache } from './presence-cache.ts';

type PresenceFrame = Extract<ServerFrame, { type: 'presence' }>;

const user = (n: number): string => id(2, n);
const seen = (n: number, state: PresenceState): UserPresence => ({ user_id: user(n), state, status: null });
const notice = (n: number, state: PresenceState, version: number): PresenceNotice => ({ presence: seen(n, state), version });

/** A room with watching sockets, by name, and its members' inboxes. */
class World {
  now = 1_000_000;
  sql: SqlDriver = nodeSqlite();
  readonly members = new Set<string>();
  readonly watchers = new Map<string, { readonly at: number; readonly frame: PresenceFrame }[]>();
  readonly inboxes = new Map<string, PresenceNotice>();
  readonly asked: string[] = [];
  refusing = false;
  connected = 0;
  sweeps = 0;
  broken = new Set<string>();
  timers: { readonly at: number; readonly task: () => void }[] = [];
  presence = this.#instance();

  constructor(members: number) {
    for (let n = 1; n <= members; n++) this.members.add(user(n));
  }

  async look(socket: string): Promise<void> {
    if (!this.watchers.has(socket)) this.watchers.set(socket, []);
    this.presence.look(socket);
    await settled();
  }

  frames(socket: string): PresenceFrame[] {
    return (this.watchers.get(socket) ?? []).map(({ frame }) => frame);
  }

  sleep(): void {
    if (this.timers.length > 0) throw new Error('a timer keeps the room awake');
    this.presence = this.#instance();
  }

  async pass(ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end; await settled()) {
      const [next] = this.timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
      this.now = next?.at ?? end;
      if (next === undefined) continue;
      this.timers.splice(this.timers.indexOf(next), 1);
      next.task();
    }
  }

  #instance(): ChannelPresence<string> {
    return new ChannelPresence<string>(new PresenceCache(this.sql), {
      clock: () => this.now,
      schedule: (ms, task) => void this.timers.push({ at: this.now + ms, task }),
      members: (limit) => [...this.members].slice(0, limit),
      isMember: (userId) => this.members.has(userId),
      connected: () => this.connected,
      isWatched: () => this.watchers.size > 0,
      sweepLater: () => (this.sweeps += 1),
      watchInbox: async (userId) => {
        this.asked.push(userId);
        if (this.broken.has(userId)) throw new Error('the inbox is away');
        return { ...(this.inboxes.get(userId) ?? { presence: { user_id: userId, state: 'offline', status: null }, version: 0 }), watching: !this.refusing };
      },
      tell: ({ full, diff }, isOwed) => {
        for (const [socket, told] of this.watchers) {
          const frame = isOwed(socket) ? full : diff;
          if (frame !== null) told.push({ at: this.now, frame: parse(frame) });
        }
      },
    });
  }
}

function parse(json: string): PresenceFrame {
  const frame = serverFrameSchema.parse(JSON.parse(json));
  if (frame.type !== 'presence') throw new Error(frame.type);
  return frame;
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 60; turn++) await Promise.resolve();
};

const frame = (full: boolean, users: UserPresence[] | null, present: number): PresenceFrame => ({ type: 'presence', full, users, present });

let world: World;
beforeEach(() => {
  world = new World(3);
  world.inboxes.set(user(1), notice(1, 'online', 4));
});

describe('a small channel', () => {
  it('asks its members\' inboxes once, when the first socket looks, and answers all of it', async () => {
    await world.look('a');
    await world.pass(1_000);
    await world.look('b');
    await world.pass(1_000);
    expect(world.frames('a')).toEqual([frame(true, [seen(1, 'online')], 1)]);
    expect(world.frames('b')).toEqual(world.frames('a'));
    expect(world.asked).toEqual([user(1), user(2), user(3)]);
  });

  it('tells changes in batches, a second apart, and what is old or repeated never (P27)', async () => {
    await world.look('a');
    await world.pass(5_000);
    expect(world.presence.notice(notice(2, 'online', 1))).toBe(true);
    world.presence.notice(notice(1, 'away', 5));
    world.presence.notice(notice(1, 'online', 4));
    world.presence.notice(notice(3, 'dnd', 1));
    await world.pass(5_000);
    world.presence.notice(notice(3, 'dnd', 1));
    await world.pass(5_000);
    expect(world.frames('a').slice(1)).toEqual([frame(false, [seen(2, 'online')], 2), frame(false, [seen(1, 'away'), seen(3, 'dnd')], 3)]);
    const [, first, second] = world.watchers.get('a') ?? [];
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_000);
  });

  it('sleeps and wakes with what it knew, and leaves no timer when nothing changes', async () => {
    await world.look('a');
    await world.pass(10_000);
    world.sleep();
    world.presence.notice(notice(2, 'online', 1));
    await world.pass(10_000);
    world.sleep();
    await world.look('b');
    await world.pass(10_000);
    expect([world.frames('a').at(-1), world.asked.length]).toEqual([frame(false, [seen(2, 'online')], 2), 3]);
    expect(world.frames('b')).toEqual([frame(true, [seen(1, 'online'), seen(2, 'online')], 2)]);
  });

  it('answers an inbox that nobody looks any more, and asks that one again when somebody does', async () => {
    await world.look('a');
    await world.pass(5_000);
    world.watchers.clear();
    expect(world.presence.notice(notice(1, 'away', 5))).toBe(false);
    world.inboxes.set(user(1), notice(1, 'dnd', 6));
    await world.look('b');
    await world.pass(5_000);
    expect(world.frames('b')).toEqual([frame(true, [seen(1, 'dnd')], 1)]);
    expect(world.asked.slice(3)).toEqual([user(1)]);
  });

  it('tells nothing of who is no member, nor of who was (G5, P27)', async () => {
    await world.look('a');
    await world.pass(5_000);
    expect(world.presence.notice(notice(9, 'online', 1))).toBe(false);
    world.members.delete(user(1));
    world.presence.memberChanged(user(1));
    expect(world.presence.notice(notice(1, 'away', 5))).toBe(false);
    await world.look('b');
    await world.pass(5_000);
    expect(world.frames('a').slice(1)).toEqual([frame(false, [], 0)]);
    expect(world.frames('b')).toEqual([frame(true, [], 0)]);
  });

  it('tells of who becomes a member', async () => {
    await world.look('a');
    await world.pass(5_000);
    world.members.add(user(4));
    world.inboxes.set(user(4), notice(4, 'dnd', 7));
    world.presence.memberChanged(user(4));
    await world.pass(5_000);
    expect(world.frames('a').at(-1)).toEqual(frame(false, [seen(4, 'dnd')], 2));
  });

  it('does not wait for an inbox that cannot be reached, asks it again, and not forever (G8)', async () => {
    world.broken = new Set([user(2)]);
    world.inboxes.set(user(2), notice(2, 'online', 3));
    await world.look('a');
    await world.pass(6_000);
    expect(world.frames('a')).toEqual([frame(true, [seen(1, 'online')], 1)]);
    world.broken.clear();
    await world.pass(6_000);
    expect(world.frames('a').at(-1)).toEqual(frame(false, [seen(2, 'online')], 2));
    world.broken = new Set([user(4)]);
    world.members.add(user(4));
    world.presence.memberChanged(user(4));
    await world.pass(600_000);
    expect(world.asked.filter((asked) => asked === user(4)).length).toBeLessThanOrEqual(4);
    expect(world.timers).toEqual([]);
  });

  it('asks again, at each look, an inbox that tells as many rooms as it may (G8)', async () => {
    world.refusing = true;
    await world.look('a');
    await world.pass(5_000);
    world.inboxes.set(user(1), notice(1, 'away', 5));
    await world.look('b');
    await world.pass(5_000);
    expect(world.frames('b')).toEqual([frame(true, [seen(1, 'away')], 1)]);
  });

  it('gives a socket at most one frame a second, however often it asks (G8, P27)', async () => {
    for (let n = 0; n < 100; n++) {
      await world.look('a');
      await world.pass(50);
    }
    expect(world.frames('a').length).toBeLessThanOrEqual(6);
  });
});

describe('a channel of more than 200 members', () => {
  beforeEach(() => {
    world = new World(201);
    world.connected = 40;
  });

  it('tells numbers, asks nobody, and does not name anyone (P28)', async () => {
    await world.look('a');
    expect([world.frames('a'), world.asked]).toEqual([[frame(true, null, 40)], []]);
    expect(world.presence.notice(notice(1, 'online', 9))).toBe(false);
  });

  it('tells the number at most every 5 s, and only when it is another (P28)', async () => {
    await world.look('a');
    for (let n = 0; n < 200; n++) {
      world.connected = 40 + (n % 3);
      world.presence.connectedChanged();
      await world.pass(100);
    }
    await world.pass(10_000);
    const count = world.frames('a').length;
    expect(count).toBeLessThanOrEqual(7);
    world.presence.connectedChanged();
    await world.pass(10_000);
    expect([world.frames('a').length, world.frames('a').at(-1)]).toEqual([count, frame(false, null, world.connected)]);
  });

  it('is swept while somebody looks, and no longer', async () => {
    await world.look('a');
    expect(world.sweeps).toBe(1);
    world.presence.sweep();
    expect(world.sweeps).toBe(2);
    world.watchers.clear();
    world.presence.sweep();
    expect(world.sweeps).toBe(2);
  });

  it('is told by name from the 200th member down, and by number from the 201st up (P28)', async () => {
    world.inboxes.set(user(7), notice(7, 'online', 1));
    await world.look('a');
    await world.pass(5_000);
    world.members.delete(user(201));
    world.presence.memberChanged(user(201));
    await world.pass(5_000);
    world.members.add(user(202));
    world.presence.memberChanged(user(202));
    await world.pass(5_000);
    expect(world.frames('a')).toEqual([frame(true, null, 40), frame(true, [seen(7, 'online')], 1), frame(true, null, 40)]);
    expect(world.asked).toHaveLength(200);
  });

  it('goes on asking where an earlier instance was lost while it asked', async () => {
    const world = new World(2);
    world.inboxes.set(user(1), notice(1, 'online', 1));
    world.broken = new Set([user(1), user(2)]);
    await world.look('a');
    [world.timers, world.broken, world.asked.length] = [[], new Set(), 0];
    world.sleep();
    world.presence.resume();
    await settled();
    await world.pass(5_000);
    expect(world.asked).toEqual([user(1), user(2)]);
    expect(world.frames('a').at(-1)).toMatchObject({ present: 1 });
    world.sleep();
    world.presence.resume();
    expect(world.asked).toHaveLength(2);
  });

  it('asks whoever becomes a member while it asks', async () => {
    const world = new World(1);
    const looking = world.look('a');
    world.members.add(user(2));
    world.presence.memberChanged(user(2));
    await looking;
    expect(world.asked).toEqual([user(1), user(2)]);
  });

  it('asks again with the sweep whoever could not be reached for long', async () => {
    const world = new World(1);
    world.inboxes.set(user(1), notice(1, 'online', 1));
    world.broken.add(user(1));
    await world.look('a');
    await world.pass(60_000);
    expect([world.asked.length, world.sweeps]).toEqual([4, 1]);
    world.broken.clear();
    world.presence.sweep();
    await world.pass(5_000);
    expect(world.frames('a').at(-1)).toMatchObject({ present: 1 });
  });

  it('tells all again where a node could not be told', async () => {
    const world = new World(1);
    world.inboxes.set(user(1), notice(1, 'online', 1));
    await world.look('a');
    await world.pass(5_000);
    const before = world.frames('a').length;
    world.presence.toldNodes(false);
    await world.pass(10_000);
    expect(world.frames('a').slice(before)).toMatchObject([{ full: true, present: 1 }]);
  });
});
