import { uuidv7 } from 'uuidv7';
import { beforeEach, expect, it } from 'vitest';
import { actorOf, InboxClient, joined, openInbox } from '../../tests/support/inbox-core.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, appendMessages, conversation, NOW, reopen } from '../../tests/support/room-core.ts';
import { Alarms } from '../alarms.ts';
import { NodeTable } from '../channel-room/node-table.ts';
import { PresenceCache } from '../channel-room/presence-cache.ts';
import { ROOM_ALARMS } from '../channel-room/room-alarms.ts';
import type { RoomRecord } from '../channel-room/room-record.ts';
import { Room } from '../channel-room/room.ts';
import { EventLog } from '../log/event-log.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { InboxRecord } from '../user-inbox/inbox-record.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from './socket-record.ts';
import { SOCKET_LIMITS } from './socket-limits.ts';

/** What Postgres has of a log, or a promise of it that nobody keeps. */
type Read = (after: number, before: number, limit: number) => Promise<{ seq: number; json: string }[]>;
const hangs: Read = () => new Promise(() => {});
const answers: Read = async (after, before, limit) =>
  Array.from({ length: Math.min(limit, before - 1 - after) }, (_, n) => ({ seq: after + 1 + n, json: JSON.stringify({ type: 'read.moved', seq: after + 1 + n, id: uuidv7(), at: new Date(NOW).toISOString(), channel_id, read_pos: 1 }) }));

const away = (): Promise<never> => Promise.reject(new Error('away'));
const common = { drainBatch: away, skipPoison: away, poisonBetween: async () => [], isDataFault: () => false, rest: () => true };

class Client implements RoomSocket {
  readonly ranges: [number, number][] = [];
  record: SocketRecord | null = null;
  send(frame: string): void {
    const { type, from, to } = JSON.parse(frame);
    if (type === 'events') this.ranges.push([from, to]);
  }
  close(): void {}
  save(record: SocketRecord): void {
    this.record = record;
  }
}

let sql: SqlDriver;
let tasks: (() => void)[];
beforeEach(() => [sql, tasks] = [nodeSqlite(), []]);

const ports = { clock: () => NOW, schedule: (_: number, task: () => void) => void tasks.push(task) };
const netAt = (): number | undefined => sql.all<{ at: number }>(`SELECT at FROM alarms WHERE purpose = 'net'`)[0]?.at;
/** Runs what is to run later, and what that leads to. */
async function settle(): Promise<void> {
  for (let round = 0; round < 10; round++) {
    for (const task of tasks.splice(0)) task();
    await new Promise(setImmediate);
  }
}
/** The log's first 1,199 events are in Postgres only. */
function forgetOldest(): void {
  const log = EventLog.open(sql);
  log.markDrained(log.state.seq);
  sql.run('DELETE FROM events WHERE seq < 1200');
  sql.run('UPDATE log_state SET (seq, end_offset) = (SELECT seq, start_offset + bytes FROM events ORDER BY seq DESC LIMIT 1)');
  sql.run('UPDATE log_state SET first_seq = 1200, first_offset = (SELECT start_offset FROM events WHERE seq = 1200)');
}
const begun = (at: number): SocketRecord => freshRecord({ session: 's', actor: { ...ALICE, expires_at: Number.MAX_SAFE_INTEGER }, epoch: 1 }, at);

function openRoom(eventsBetween: Read): Room<Client> {
  const record: RoomRecord = {
    ...common, readChannel: away, findEditWindow: away, findLogPlace: away, moveLog: away, keepForkedEvents: away, findMembership: away,
    eventsBetween: (_, ...range) => eventsBetween(...range),
  };
  return new Room(reopen(sql), {
    ...ports, record, random: () => 0.5, durable: async () => {}, alarms: new Alarms(sql, ROOM_ALARMS, { setAlarm: () => {}, clearAlarm: () => {} }),
    presences: new PresenceCache(sql), watchInbox: away, nodes: new NodeTable(sql), node: () => ({ publish: away, tell: away, closeWhere: away }),
    limits: SOCKET_LIMITS, report: () => {}, warn: () => {}, lastPing: () => NOW, redeem: away, restart: () => {},
  });
}

it('an alarm has the next instance go on with what a room was reading for its sockets when it was lost, and is gone when it is read (G4)', async () => {
  appendMessages(conversation({ sql }), 1_400);
  forgetOldest();
  const client = new Client();
  openRoom(hangs).resume([[client, begun(1_000)]]);
  await settle();
  expect([client.ranges, netAt()]).toEqual([[], NOW + 30_000]);
  tasks = [];
  const next = openRoom(answers);
  next.resume([[client, client.record ?? begun(1_000)]]);
  await next.alarm();
  await settle();
  expect([client.ranges, netAt(), tasks]).toEqual([[[1_001, 1_199], [1_200, 1_400]], undefined, []]);
});

const [userId, channel_id] = [uuidv7(), uuidv7()];
const record = (eventsBetween: Read): InboxRecord => ({
  ...common, findChannel: away, wake: async () => [], findPlace: away, move: away, keepForked: away, logPresence: async () => {}, eventsBetween,
  readUser: async () => ({
    claimed: { epoch: 1, fence: 1, drained_seq: 0, awake_version: 0, notices_read_seq: 0 },
    channels: [{ channel_id, role: 'member', version: 1, read_pos: 0, read_generation: 0, notified_seq: 0 }],
    wish: { choice: 'auto', status: null, version: 0 },
  }),
});
const inInbox = (given: SocketRecord): SocketRecord => ({ ...given, activity: { idle: false, at: NOW } });

it('and the next instance of an inbox (G4)', async () => {
  const first = await openInbox(userId, { ...ports, sql, record: record(answers) });
  for (let pos = 1; pos <= 1_400; pos++) await first.read(actorOf(userId), channel_id, pos);
  forgetOldest();
  tasks = [];
  const client = new InboxClient();
  (await openInbox(userId, { ...ports, sql, record: record(hangs) })).resume([[client, inInbox(begun(1_000))]]);
  await settle();
  expect([client.events, netAt()]).toEqual([[], NOW + 30_000]);
  tasks = [];
  const next = await openInbox(userId, { ...ports, sql, record: record(answers) });
  next.resume([[client, client.record ?? inInbox(begun(1_000))]]);
  await next.alarm();
  await settle();
  expect(client.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 400 }, (_, n) => 1_001 + n));
  next.left(client);
  await settle();
  expect([netAt(), tasks]).toEqual([undefined, []]);
});

it('an alarm has the next instance of an inbox tell the badges that it owes', async () => {
  const first = await openInbox(userId, { ...ports, sql, record: record(answers) });
  const client = await joined(first);
  const badge = { channel_id, role: 'member', version: 1, epoch: 1, last_pos: 9, read_pos: 0, mentions: 0 } as const;
  for (const seq of [1, 2]) first.tell({ changes: [], notices: [], badges: [{ ...badge, as_of_seq: seq, unread: seq }] });
  expect([client.unread[0]?.unread, netAt()]).toEqual([1, NOW + 30_000]);
  tasks = [];
  const next = await openInbox(userId, { ...ports, sql, record: record(answers) });
  next.resume([[client, client.record ?? inInbox(begun(0))]]);
  expect(client.unread[0]?.unread).toBe(2);
  next.left(client);
  await settle();
  expect([netAt(), tasks]).toEqual([undefined, []]);
});
