import { beforeEach, describe, expect, it } from 'vitest';
import type { FoundMembership } from '../../db/queries/room-bootstrap.ts';
import type { Command } from '../../protocol/frames.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, appendMessages, BOB, CHANNEL, conversation, EVE, logged, NOW } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { Alarms } from '../alarms.ts';
import type { Conversation } from './conversation.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { ActorCommand } from './room-api.ts';
import { PresenceCache } from './presence-cache.ts';
import type { RoomRecord } from './room-record.ts';
import { ROOM_ALARMS } from './room-alarms.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { NodeTable } from './node-table.ts';
import { Room } from './room.ts';

const by = (sender: Actor, client_msg_id: string): ActorCommand => ({ actor: sender, command: { type: 'send', client_msg_id, text: 'x' } satisfies Command });

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

let asked = 0;
function away(): Promise<never> {
  asked += 1;
  return Promise.reject(new Error('Postgres is away'));
}

let lookups: { readonly userId: string; readonly answer: (found: FoundMembership | null) => void }[];
let stored: Conversation;
let room: Room<RoomSocket>;

/** A Postgres that is away, but for lookups of members: those hang until they are answered. */
const record: RoomRecord = {
  readChannel: away, findEditWindow: away, drainBatch: away, skipPoison: away, eventsBetween: away, poisonBetween: away, findLogPlace: away, moveLog: away, keepForkedEvents: away,
  findMembership(_, userId) {
    const { promise, resolve } = Promise.withResolvers<FoundMembership | null>();
    asked += 1;
    lookups.push({ userId, answer: resolve });
    return promise;
  },
  isDataFault: () => false,
  rest: () => true,
};

function openRoom(sql: SqlDriver): Room<RoomSocket> {
  return new Room(stored, {
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
}

let sql: SqlDriver;
beforeEach(() => {
  lookups = [];
  asked = 0;
  sql = nodeSqlite();
  stored = conversation({ sql });
  room = openRoom(sql);
});

const answer = (index: number, role: FoundMembership['role']): void =>
  lookups[index]?.answer({ kind: 'public', channel_version: 1, role, version: role === null ? null : 9 });

class FakeSocket implements RoomSocket {
  readonly frames: string[] = [];
  send(frame: string): void {
    this.frames.push(frame);
  }
  close(): void {}
  save(): void {}
}

describe('a resume from the tail', () => {
  it('asks Postgres nothing, however many come at once (G4)', async () => {
    appendMessages(stored, 50);
    stored.log.markDrained(50);
    room = openRoom(sql);
    const sockets = range(1, 100).map(() => new FakeSocket());
    const joined = await Promise.all(sockets.map((socket) => room.join({ channel_id: CHANNEL, actor: ALICE, since: { epoch: 1, seq: 20 } }, () => socket)));
    expect(joined.every((outcome) => 'ok' in outcome)).toBe(true);
    for (const { frames: [welcome, events] } of sockets) {
      expect(JSON.parse(welcome ?? '')).toMatchObject({ type: 'welcome', seq: 20, head: 50, recovered: true });
      expect(JSON.parse(events ?? '')).toMatchObject({ type: 'events', from: 21, to: 50 });
    }
    expect(asked).toBe(0);
  });
});

it('lets no member fill a channel: the 101st socket of one is refused, and another\'s first is not (G8, P48)', async () => {
  const join = (by: Actor) => room.join({ channel_id: CHANNEL, actor: by, since: null }, () => new FakeSocket());
  const joined = await Promise.all(range(1, 100).map(() => join(ALICE)));
  expect(await join(ALICE)).toMatchObject({ problem: { code: 'unavailable', retry_after: 30 } });
  expect(await join(BOB)).toHaveProperty('ok');
  const [first] = joined;
  if (first !== undefined && 'ok' in first && 'send' in first.ok) room.left(first.ok);
  expect(await join(ALICE)).toHaveProperty('ok');
});

describe('a planned restart', () => {
  it('is told to every socket, however far behind it is', async () => {
    const sockets = [new FakeSocket(), new FakeSocket()];
    for (const socket of sockets) await room.join({ channel_id: CHANNEL, actor: ALICE, since: null }, () => socket);
    appendMessages(stored, 1_500);
    expect(room.prepareRestart(60_000)).toBe(2);
    for (const { frames } of sockets) expect(JSON.parse(frames.at(-1) ?? '')).toEqual({ type: 'reconnect', within_ms: 60_000 });
  });
});

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

  it('leaves edits to `execute` where it does not know how long they are allowed, and goes by what it knew where Postgres is away', async () => {
    const sent = await room.execute(ALICE, by(ALICE, 'a').command);
    const message_id = 'ok' in sent ? sent.ok.message_id : '';
    const edit = (text: string): ActorCommand => ({ actor: ALICE, command: { type: 'edit', message_id, text } });
    expect(await room.executeEach([edit('y'), by(BOB, 'b')])).toMatchObject([null, { ok: { seq: 2 } }]);
    const before = asked;
    expect(await room.execute(ALICE, edit('y').command)).toMatchObject({ ok: { seq: 3 } });
    expect(asked).toBeGreaterThan(before);
    expect(await room.executeEach([edit('z')])).toMatchObject([{ ok: { seq: 4 } }]);
  });

  it('knows a stranger once `execute` has asked', async () => {
    const { actor: eve, command } = by(EVE, 'a');
    const outcome = room.execute(eve, command);
    answer(0, 'member');
    expect(await outcome).toMatchObject({ ok: { seq: 1 } });
    expect(await room.executeEach([by(EVE, 'b')])).toMatchObject([{ ok: { seq: 2 } }]);
  });
});
