import { beforeEach, describe, expect, it } from 'vitest';
import type { FoundMembership } from '../../db/queries/room-bootstrap.ts';
import type { Command } from '../../protocol/frames.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { actor, ALICE, BOB, conversation, EVE, logged, NOW } from '../../tests/support/room-core.ts';
import type { Conversation } from './conversation.ts';
import type { RoomSocket } from './fanout.ts';
import type { Actor, ActorCommand } from './room-api.ts';
import type { RoomRecord } from './room-record.ts';
import { Room } from './room.ts';

const by = (sender: Actor, client_msg_id: string): ActorCommand => ({ actor: sender, command: { type: 'send', client_msg_id, text: 'x' } satisfies Command });

const away = (): Promise<never> => Promise.reject(new Error('Postgres is away'));

let lookups: { readonly userId: string; readonly answer: (found: FoundMembership | null) => void }[];
let timers: { readonly ms: number; readonly task: () => void }[];
let now: number;
let stored: Conversation;
let room: Room<RoomSocket>;

/** A Postgres that is away, but for lookups of members: those hang until they are answered. */
const record: RoomRecord = {
  readChannel: away, drainBatch: away, skipPoison: away, eventsBetween: away, poisonBetween: away, findLogPlace: away, moveLog: away, keepForkedEvents: away,
  findMembership(_, userId) {
    const { promise, resolve } = Promise.withResolvers<FoundMembership | null>();
    lookups.push({ userId, answer: resolve });
    return promise;
  },
  isDataFault: () => false,
  rest: () => true,
};

beforeEach(() => {
  [lookups, timers, now] = [[], [], NOW];
  stored = conversation({ sql: nodeSqlite() });
  room = new Room(stored, {
    clock: () => now,
    random: () => 0.5,
    schedule: (ms, task) => void timers.push({ ms, task }),
    durable: async () => {},
    setAlarm: () => {},
    clearAlarm: () => {},
    record,
    report: () => {},
    warn: () => {},
    lastPing: () => 0,
    restart: () => {},
  });
});

/** Lets so much time pass for what is scheduled now. */
function pass(ms: number): void {
  now += ms;
  const due = timers.filter((timer) => timer.ms <= ms);
  timers = timers.filter((timer) => timer.ms > ms);
  for (const { task } of due) task();
}

const answer = (index: number, role: FoundMembership['role']): void =>
  lookups[index]?.answer({ kind: 'public', role, version: role === null ? null : 9 });

describe('Room.executeEach', () => {
  const MALLORY = actor(4);

  it('refuses each who may not act by itself, and keeps the order of the others (G5)', async () => {
    room.revokeCredential(BOB.credential_id, BOB.expires_at);
    const outcomes = room.executeEach([by(EVE, 'a'), by(ALICE, 'b'), by(BOB, 'c'), by(MALLORY, 'd'), by({ ...ALICE, expires_at: NOW }, 'e'), by(ALICE, 'f')]);
    expect(lookups.map(({ userId }) => userId)).toEqual([EVE.user_id, MALLORY.user_id]);
    for (const index of [1, 0]) answer(index, null);
    expect(await outcomes).toMatchObject([
      { problem: { code: 'not_a_member' } }, { ok: { seq: 1, pos: 1 } }, { problem: { code: 'unauthenticated' } },
      { problem: { code: 'not_a_member' } }, { problem: { code: 'unauthenticated' } }, { ok: { seq: 2, pos: 2 } },
    ]);
    expect(logged(stored).map(({ actor_id }) => actor_id)).toEqual([ALICE.user_id, ALICE.user_id]);
  });

  it('asks Postgres once about one of whom it was not told, and takes all their commands', async () => {
    const outcomes = room.executeEach([by(EVE, 'a'), by(ALICE, 'b'), by(EVE, 'c')]);
    expect(lookups).toHaveLength(1);
    answer(0, 'member');
    expect(await outcomes).toMatchObject([{ ok: { seq: 1 } }, { ok: { seq: 2 } }, { ok: { seq: 3 } }]);
  });

  it('lets no stranger hold up members while Postgres hangs (G8)', async () => {
    const outcomes = room.executeEach([by(EVE, 'a'), by(ALICE, 'b')]);
    pass(1_000);
    expect(await outcomes).toMatchObject([{ problem: { code: 'unavailable', retry_after: 1 } }, { ok: { seq: 1 } }]);
    answer(0, 'member');
    pass(10);
    expect(await room.executeEach([by(EVE, 'a')])).toMatchObject([{ ok: { seq: 2, changed: true } }]);
  });

  it('asks nobody about members', async () => {
    expect(await room.executeEach([by(ALICE, 'a'), by(BOB, 'a')])).toMatchObject([{ ok: { seq: 1 } }, { ok: { seq: 2 } }]);
    expect(lookups).toEqual([]);
  });
});
