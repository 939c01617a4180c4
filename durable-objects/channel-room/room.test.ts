import { beforeEach, describe, expect, it } from 'vitest';
import type { FoundMembership } from '../../db/queries/room-bootstrap.ts';
import type { Command } from '../../protocol/frames.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, BOB, conversation, EVE, logged, NOW } from '../../tests/support/room-core.ts';
import { Alarms } from '../alarms.ts';
import type { Conversation } from './conversation.ts';
import type { RoomSocket } from '../sockets/fanout.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { ActorCommand } from './room-api.ts';
import { PresenceCache } from './presence-cache.ts';
import type { RoomRecord } from './room-record.ts';
import { ROOM_ALARMS } from './room-alarms.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { NodeTable } from './node-table.ts';
import { Room } from './room.ts';

const by = (sender: Actor, client_msg_id: string): ActorCommand => ({ actor: sender, command: { type: 'send', client_msg_id, text: 'x' } satisfies Command });

const away = (): Promise<never> => Promise.reject(new Error('Postgres is away'));

let lookups: { readonly userId: string; readonly answer: (found: FoundMembership | null) => void }[];
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
  lookups = [];
  const sql = nodeSqlite();
  stored = conversation({ sql });
  room = new Room(stored, {
    clock: () => NOW,
    random: () => 0.5,
    schedule: (ms, task) => void (ms <= 2 && queueMicrotask(task)),
    durable: async () => {},
    alarms: new Alarms(sql, ROOM_ALARMS, { setAlarm: () => {}, clearAlarm: () => {} }),
    record,
    presences: new PresenceCache(sql),
    watchInbox: away,
    nodes: new NodeTable(sql),
    node: () => ({ publish: away, tell: away, closeWhere: away }),
    limits: SOCKET_LIMITS,
    report: () => {},
    warn: () => {},
    lastPing: () => 0,
    redeem: away,
    restart: () => {},
  });
});

const answer = (index: number, role: FoundMembership['role']): void =>
  lookups[index]?.answer({ kind: 'public', role, version: role === null ? null : 9 });

describe('Room.executeEach', () => {
  it('refuses each who may not act by itself, keeps the order of the others, and leaves strangers to `execute` (G5)', async () => {
    await room.revokeCredential(BOB.credential_id, BOB.expires_at);
    expect(await room.executeEach([by(EVE, 'a'), by(ALICE, 'b'), by(BOB, 'c'), by({ ...ALICE, expires_at: NOW }, 'd'), by(ALICE, 'e')])).toMatchObject([
      null, { ok: { seq: 1, pos: 1 } }, { problem: { code: 'unauthenticated' } }, { problem: { code: 'unauthenticated' } }, { ok: { seq: 2, pos: 2 } },
    ]);
    expect(logged(stored).map(({ actor_id }) => actor_id)).toEqual([ALICE.user_id, ALICE.user_id]);
  });

  it('asks Postgres about nobody: a stranger holds up no member while it hangs (G8)', async () => {
    expect(await room.executeEach([by(ALICE, 'a'), by(EVE, 'a'), by(BOB, 'a')])).toMatchObject([{ ok: { seq: 1 } }, null, { ok: { seq: 2 } }]);
    expect(lookups).toEqual([]);
  });

  it('knows a stranger once `execute` has asked', async () => {
    const { actor: eve, command } = by(EVE, 'a');
    const outcome = room.execute(eve, command);
    answer(0, 'member');
    expect(await outcome).toMatchObject({ ok: { seq: 1 } });
    expect(await room.executeEach([by(EVE, 'b')])).toMatchObject([{ ok: { seq: 2 } }]);
  });
});
