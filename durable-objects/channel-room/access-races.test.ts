import { describe, expect, it } from 'vitest';
import type { CloseCode } from '../../protocol/close-codes.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { appendMessages, BOB, CHANNEL, conversation, id, NOW, reopen } from '../../tests/support/room-core.ts';
import { Alarms } from '../alarms.ts';
import type { RoomSocket, SocketRecord } from '../sockets/socket-record.ts';
import { findStart } from '../sockets/start.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { Archive } from '../log/archive.ts';
import { AccessTable } from './access-table.ts';
import { Conversation } from './conversation.ts';
import { NodeTable } from './node-table.ts';
import { PresenceCache } from './presence-cache.ts';
import { ROOM_ALARMS } from './room-alarms.ts';
import type { MemberChange } from './room-api.ts';
import { Room } from './room.ts';
import type { RoomRecord } from './room-record.ts';

class Socket implements RoomSocket {
  closed: CloseCode | null = null;
  record: SocketRecord | null = null;
  readonly frames: string[] = [];
  send(frame: string): void {
    this.frames.push(frame);
  }
  close(code: CloseCode): void {
    this.closed = code;
  }
  save(record: SocketRecord): void {
    this.record = record;
  }
}

const away = (): Promise<never> => Promise.reject(new Error('away'));
const older = (after: number, before: number) => Array.from({ length: before - 1 - after }, (_, n) => ({ seq: after + 1 + n, json: '{}' }));
/** A Postgres that has older events. */
const record: RoomRecord = {
  readChannel: away, drainBatch: away, skipPoison: away, poisonBetween: async () => [], findLogPlace: away, moveLog: away, keepForkedEvents: away, findMembership: away, findEditWindow: away,
  eventsBetween: async (_, after, before) => older(after, before), isDataFault: () => false, rest: () => true,
};

/** A room with 20 events, of which it has the last six itself. */
function opened(): Room<Socket> {
  const sql = nodeSqlite();
  const room = conversation({ sql });
  appendMessages(room, 20);
  room.log.markDrained(20);
  sql.run('DELETE FROM events WHERE seq < 15');
  sql.run('UPDATE log_state SET first_seq = 15, first_offset = (SELECT start_offset FROM events WHERE seq = 15)');
  return new Room(reopen(sql), {
    clock: () => NOW, random: () => 0.5, schedule: () => {}, durable: async () => {}, alarms: new Alarms(sql, ROOM_ALARMS, { setAlarm: () => {}, clearAlarm: () => {} }),
    record, presences: new PresenceCache(sql), watchInbox: away, nodes: new NodeTable(sql), node: () => ({ publish: away, tell: away, closeWhere: away }),
    limits: SOCKET_LIMITS, report: () => {}, warn: () => {}, lastPing: () => NOW, redeem: away, restart: () => {},
  });
}

const DAY = 86_400_000;
const removal: MemberChange = { event_id: id(7, 1), user_id: BOB.user_id, actor_id: BOB.user_id, role: null, version: 9 };
const ENDS = {
  removal: (room: Room<Socket>) => room.applyMemberChange(removal),
  revocation: (room: Room<Socket>) => room.revokeCredential(BOB.credential_id, BOB.expires_at),
};
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
};

describe.each(['removal', 'revocation'] as const)('a %s', (kind) => {
  it.each([['from the head', null], ['after a look into Postgres', { epoch: 1, seq: 3 }]])('in whichever turn of a join it falls, leaves no socket open that joins %s (G5)', async (_, since) => {
    for (let turn = 0; turn < 40; turn++) {
      const [room, socket] = [opened(), new Socket()];
      const joining = room.join({ channel_id: CHANNEL, actor: BOB, since }, () => socket);
      await turns(turn);
      await ENDS[kind](room);
      const joined = await joining;
      expect({ turn, open: 'ok' in joined && socket.closed === null }).toEqual({ turn, open: false });
    }
  });
});

it('what is revoked stays revoked where a room starts over from Postgres; and for a day at most, which is longer than it is trusted anywhere (G5, G8)', () => {
  const sql = nodeSqlite();
  const { access } = conversation({ sql });
  access.revoke('in a week', NOW + 7 * DAY, NOW);
  access.revoke('in an hour', NOW + 3_600_000, NOW);
  Conversation.forget(sql);
  Conversation.prepare(sql);
  expect(['in a week', 'in an hour', 'another'].map((credential) => new AccessTable(sql).isRevoked(credential))).toEqual([true, true, false]);
  new AccessTable(sql).revoke('later', NOW + 9 * DAY, NOW + DAY);
  expect(sql.all('SELECT credential_id FROM revoked_credentials')).toEqual([{ credential_id: 'later' }]);
});

it('a resume is not called whole where the log went on in another epoch while Postgres was asked (G4)', async () => {
  const sql = nodeSqlite();
  const room = conversation({ sql });
  appendMessages(room, 20);
  room.log.markDrained(20);
  sql.run('UPDATE log_state SET first_seq = 15, first_offset = (SELECT start_offset FROM events WHERE seq = 15)');
  const { log } = reopen(sql);
  const archive = new Archive({ eventsBetween: async (after, before) => older(after, before), poisonBetween: async () => [], failed: () => {} });
  const asking = { log, archive, asking: () => {} };
  expect(await findStart(asking, { epoch: 1, seq: 3 })).toEqual({ ok: { seq: 3, recovered: true } });
  const started = findStart(asking, { epoch: 1, seq: 3 });
  log.claim(2, 2);
  expect(await started).toEqual({ ok: { seq: 20, recovered: false } });
});
