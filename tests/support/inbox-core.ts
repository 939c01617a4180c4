import { uuidv7 } from 'uuidv7';
import type { Sql } from '../../db/client.ts';
import type { Badge, InboxServerFrame } from '../../protocol/frames.ts';
import { inboxServerFrameSchema } from '../../protocol/frames.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { Alarms } from '../../durable-objects/alarms.ts';
import type { Actor } from '../../durable-objects/sockets/actor-api.ts';
import type { RoomSocket, SocketRecord } from '../../durable-objects/sockets/socket-record.ts';
import type { SqlDriver } from '../../durable-objects/log/sql-driver.ts';
import { INBOX_ALARMS } from '../../durable-objects/user-inbox/inbox-alarms.ts';
import { bootstrapInbox } from '../../durable-objects/user-inbox/inbox-bootstrap.ts';
import { inboxPostgres } from '../../durable-objects/user-inbox/inbox-postgres.ts';
import type { InboxRecord } from '../../durable-objects/user-inbox/inbox-record.ts';
import { InboxState } from '../../durable-objects/user-inbox/inbox-state.ts';
import { Inbox } from '../../durable-objects/user-inbox/inbox.ts';
import type { InboxPorts } from '../../durable-objects/user-inbox/inbox-ports.ts';
import { PresenceTable } from '../../durable-objects/user-inbox/presence-table.ts';
import { nodeSqlite } from './node-sqlite.ts';

/** The client's end of an inbox's socket: what it was sent, as it makes of it. */
export class InboxClient implements RoomSocket {
  readonly frames: InboxServerFrame[] = [];
  record: SocketRecord | null = null;
  closed: number | null = null;

  send(frame: string): void {
    this.frames.push(inboxServerFrameSchema.parse(JSON.parse(frame)));
  }

  close(code: number): void {
    this.closed = code;
  }

  save(record: SocketRecord): void {
    this.record = record;
  }

  get events(): InboxEvent[] {
    return this.frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  }

  /** What is unread, as a client knows it: each full frame begins anew. */
  get unread(): Badge[] {
    const known = new Map<string, Badge>();
    for (const frame of this.frames) {
      if (frame.type !== 'badges') continue;
      if (frame.full) known.clear();
      for (const badge of frame.badges) known.set(badge.channel_id, badge);
    }
    return [...known.values()].filter(({ unread }) => unread > 0).toSorted((a, b) => (a.channel_id < b.channel_id ? -1 : 1));
  }
}

export interface InboxWorld {
  readonly sql?: SqlDriver;
  readonly record: InboxRecord;
  clock(): number;
  schedule?(ms: number, task: () => void): void;
  /** Of the channel's room, when it is asked; by default there is always more than anybody reads. */
  lastPosOf?: InboxPorts<InboxClient>['lastPosOf'];
  /** Of every socket; by default each was heard of just now. */
  lastPing?(): number;
}

/** An inbox with SQLite in memory, or on the SQLite of an earlier one. */
export async function openInbox(userId: string, { sql = nodeSqlite(), record, clock, schedule = (ms, task) => void setTimeout(task, ms), lastPing = clock, lastPosOf = async () => ({ ok: Number.MAX_SAFE_INTEGER }) }: InboxWorld): Promise<Inbox<InboxClient>> {
  const presences = new PresenceTable(sql);
  if (InboxState.open(sql, uuidv7) === null && !(await bootstrapInbox(sql, record, presences, userId))) throw new Error('there is no such user');
  const state = InboxState.open(sql, uuidv7);
  if (state === null) throw new Error('there is no inbox');
  const ports: InboxPorts<InboxClient> = {
    clock,
    random: () => 0.5,
    schedule,
    durable: async () => {},
    alarms: new Alarms(sql, INBOX_ALARMS, { setAlarm: () => {}, clearAlarm: () => {} }),
    record,
    isRevoked: () => false,
    redeem: async () => null,
    report: () => {},
    warn: () => {},
    lastPing: () => lastPing(),
    presences,
    lastPosOf,
    tellRoom: async () => false,
    restart: () => {},
  };
  return new Inbox(state, ports);
}

export const recordOf = (sql: Sql, userId: string): InboxRecord => inboxPostgres({ run: (work) => work(sql), rest: () => true }, userId);

export const actorOf = (userId: string): Actor => ({ user_id: userId, credential_id: uuidv7(), expires_at: Number.MAX_SAFE_INTEGER });

export async function joined(inbox: Inbox<InboxClient>, since: { epoch: number; seq: number } | null = null): Promise<InboxClient> {
  const client = new InboxClient();
  const outcome = await inbox.join({ actor: actorOf(inbox.userId), since }, () => client);
  if ('problem' in outcome) throw new Error(outcome.problem.code);
  return client;
}
