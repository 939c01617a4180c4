import type { ChannelStanding } from '../../protocol/announcements.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { MAX_EVENTS_PER_MS } from '../../protocol/limits.ts';
import { timeOfId } from '../../protocol/primitives.ts';
import { EventLog, LOG_SCHEMA, type LogEvent } from '../log/event-log.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { ACCESS_SCHEMA, AccessTable } from './access-table.ts';
import { EditWindow } from './edit-window.ts';
import { EDIT_SCHEMA, MESSAGE_SCHEMA, MessageIndex } from './message-index.ts';
import { PIN_SCHEMA, PinIndex } from './pin-index.ts';
import { PREVIEW_SCHEMA, PreviewIndex } from './preview-index.ts';
import { SENT_SCHEMA } from './sent-index.ts';

export type ChannelKind = 'public' | 'private' | 'direct';

/**
 * Commits that an instance makes undoable. After them it trusts its code, and a failure ends it; the next instance is careful again and finds
 * the one command at fault. So a faulty command ends a room at most once in so many commits.
 */
const CAREFUL_COMMITS = 500;

type WithoutBase<E> = E extends ChannelEvent ? Omit<E, 'seq' | 'id' | 'at'> : never;
/** An event before the log numbers and dates it. */
export type EventBody = WithoutBase<ChannelEvent>;

export interface Origin {
  readonly channelId: string;
  readonly kind: ChannelKind;
  readonly standing: ChannelStanding;
  readonly epoch: number;
  readonly fence: number;
  /** Where the log goes on: everything up to here is in Postgres. */
  readonly seq: number;
  readonly pos: number;
}

export interface ConversationOptions {
  /** A fresh UUIDv7 of this moment, in epoch milliseconds; rising. */
  readonly newId: (now: number) => string;
}

/** Whether the channel is archived, as of a version of it; no row: nobody has said so. */
const STANDING_SCHEMA = 'CREATE TABLE standing (id INTEGER PRIMARY KEY CHECK (id = 1), archived INTEGER NOT NULL, version INTEGER NOT NULL);';

/** Up to which version of a file its changes are in the log. */
const FILE_SCHEMA = 'CREATE TABLE file_versions (file_id TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;';

const ROOM_SCHEMA = `CREATE TABLE room_state (id INTEGER PRIMARY KEY CHECK (id = 1), channel_id TEXT NOT NULL, kind TEXT NOT NULL, pos INTEGER NOT NULL);`;

/**
 * Not the alarms: the instance that ends may still set its own, and the next one finds what they were for. Nor what is revoked: nobody tells it a second
 * time (G5).
 */
const TABLES = ['room_state', 'standing', 'events', 'log_state', 'messages', 'edits', 'sent', 'sent_state', 'reactions', 'members', 'presences', 'file_versions', 'pins', 'previews', 'edit_window'];

const LATER_TABLES = [['sent', SENT_SCHEMA], ['edits', EDIT_SCHEMA], ['standing', STANDING_SCHEMA], ['file_versions', FILE_SCHEMA], ['pins', PIN_SCHEMA], ['previews', PREVIEW_SCHEMA]] as const;

/** `pos` is that of the newest top-level message that the index of sends has merged, or a later one: those after it tell theirs. */
type RoomRow = { channel_id: string; kind: ChannelKind; pos: number };

/** One millisecond after a UUIDv7 was made (RFC 9562, section 5.7): what is made then is greater. */
const idTime = (id: string | null): number => (id === null ? 0 : timeOfId(id) + 1);

function putStanding(sql: SqlDriver, { archived, version }: ChannelStanding): void {
  sql.run('INSERT OR REPLACE INTO standing (id, archived, version) VALUES (1, ?, ?)', archived ? 1 : 0, version);
}

function readStanding(sql: SqlDriver): ChannelStanding {
  const [row] = sql.all<{ archived: number; version: number }>('SELECT archived, version FROM standing WHERE id = 1');
  return row === undefined ? { archived: false, version: 0 } : { archived: row.archived === 1, version: row.version };
}

/** All a room knows of its channel, in SQLite: the log, the index of messages, who may act. Everything is synchronous. */
export class Conversation {
  readonly log: EventLog;
  readonly messages: MessageIndex;
  readonly access: AccessTable;
  readonly pins: PinIndex;
  readonly previews: PreviewIndex;
  readonly editWindow: EditWindow;
  readonly channelId: string;
  readonly #sql: SqlDriver;
  readonly #newId: (now: number) => string;
  #kind: ChannelKind;
  /** Not stored: what was asked of Postgres before this instance began has been answered to another. */
  #kindVersion: number;
  #standing: ChannelStanding;
  #pos: number;
  #appended: LogEvent[] = [];
  #commits = 0;
  /** No id is made for an earlier moment: ids rise, whatever the clocks of this room's instances say. Epoch milliseconds. */
  #idAt: number;
  /** The first `seq` whose ids may bear that moment. */
  #idFrom = Number.POSITIVE_INFINITY;

  /** From now on `open` finds nothing. */
  static forget(sql: SqlDriver): void {
    sql.transaction(() => TABLES.forEach((table) => sql.run(`DROP TABLE IF EXISTS ${table}`)));
  }

  /** Lays the tables of a room that is being filled; until `complete`, `open` does not find it. Whatever was there is gone. */
  static prepare(sql: SqlDriver): void {
    Conversation.forget(sql);
    sql.run(LOG_SCHEMA + MESSAGE_SCHEMA + ACCESS_SCHEMA + PIN_SCHEMA + PREVIEW_SCHEMA);
  }

  static complete(sql: SqlDriver, origin: Origin): void {
    sql.transaction(() => {
      EventLog.create(sql, origin.epoch, origin.fence, origin.seq);
      sql.run(ROOM_SCHEMA + STANDING_SCHEMA + FILE_SCHEMA);
      putStanding(sql, origin.standing);
      sql.run('INSERT INTO room_state (id, channel_id, kind, pos) VALUES (1, ?, ?, ?)', origin.channelId, origin.kind, origin.pos);
    });
  }

  /** Null where this object has never learned its channel; then nothing is written. */
  static open(sql: SqlDriver, options: ConversationOptions): Conversation | null {
    const found = new Set(sql.all<{ name: string }>(`SELECT name FROM sqlite_master WHERE type = 'table'`).map(({ name }) => name));
    if (!found.has('room_state')) return null;
    // A room laid before there was an index of sends (2026-11-23), of edits, of its channel's standing, its files, pins or previews, has none: the first is filled from the messages.
    for (const [table, schema] of LATER_TABLES) if (!found.has(table)) sql.transaction(() => sql.run(schema));
    const [row] = sql.all<RoomRow>('SELECT channel_id, kind, pos FROM room_state WHERE id = 1');
    return row === undefined ? null : new Conversation(sql, row, options);
  }

  private constructor(sql: SqlDriver, row: RoomRow, options: ConversationOptions) {
    this.#sql = sql;
    this.#newId = options.newId;
    this.channelId = row.channel_id;
    this.#kind = row.kind;
    this.#standing = readStanding(sql);
    this.#kindVersion = this.#standing.version;
    this.#pos = Math.max(row.pos, MessageIndex.newestPos(sql));
    this.log = EventLog.open(sql);
    this.messages = new MessageIndex(sql, () => this.#savePos());
    this.access = new AccessTable(sql);
    this.pins = new PinIndex(sql);
    this.previews = new PreviewIndex(sql);
    this.editWindow = new EditWindow(sql);
    this.#idAt = idTime(this.messages.lastId());
  }

  get kind(): ChannelKind {
    return this.#kind;
  }

  /** Makes it easy for the next instance. Call when there is time. */
  rest(): void {
    this.messages.sent.merge('rest');
  }

  /** As of that version of the channel: what is known as of a later one stays. */
  setKind(kind: ChannelKind, version: number): void {
    if (version < this.#kindVersion) return;
    this.#kindVersion = version;
    if (kind === this.#kind) return;
    this.#sql.run('UPDATE room_state SET kind = ? WHERE id = 1', kind);
    this.#kind = kind;
  }

  /** It takes nothing new. */
  get isArchived(): boolean {
    return this.#standing.archived;
  }

  /** Whether this is of a later version of the channel than what the room knows. */
  isNewStanding({ version }: ChannelStanding): boolean {
    return version > this.#standing.version;
  }

  /** What is not newer than what the room knows does nothing. */
  setStanding({ archived, version, change }: ChannelStanding): void {
    const standing = { archived, version };
    if (!this.isNewStanding(standing)) return;
    putStanding(this.#sql, standing);
    this.#standing = standing;
    if (change?.kind !== undefined) this.setKind(change.kind, version);
  }

  /** Whether this version of a file is news. */
  learnFile(fileId: string, version: number): boolean {
    const [known] = this.#sql.all<{ version: number }>('SELECT version FROM file_versions WHERE file_id = ?', fileId);
    if (known !== undefined && known.version >= version) return false;
    this.#sql.run('REPLACE INTO file_versions (file_id, version) VALUES (?, ?)', fileId, version);
    return true;
  }

  get nextSeq(): number {
    return this.log.state.seq + 1;
  }

  /** At most `MAX_EVENTS_PER_MS` events share a moment, however the clock stands: what is rolled back in between has made none. */
  newId(now: number): string {
    const isFull = this.nextSeq - this.#idFrom >= MAX_EVENTS_PER_MS;
    const at = Math.max(isFull ? this.#idAt + 1 : this.#idAt, now);
    this.#idFrom = at === this.#idAt ? Math.min(this.#idFrom, this.nextSeq) : this.nextSeq;
    this.#idAt = at;
    return this.#newId(at);
  }

  /** The place of the next top-level message. It is taken when that message's event is appended. */
  get nextPos(): number {
    return this.#pos + 1;
  }

  /** Numbers, dates and appends, inside `commit`. Returns the event's `seq`. An announcement brings the id of the event it repeats. */
  append(body: EventBody, now: number, id = this.newId(now)): number {
    const { type, actor_id, ...rest } = body;
    const event = this.log.append({ type, seq: this.nextSeq, id, at: new Date(now).toISOString(), actor_id, ...rest }, now);
    if (body.type === 'message.created' && body.pos !== null) this.#pos = body.pos;
    this.#appended.push(event);
    return event.seq;
  }

  /** Runs `write` as one transaction and returns the events it appended. Where it throws, nothing has happened, or this instance ends. */
  commit<T>(write: () => T): { readonly value: T; readonly events: readonly LogEvent[] } {
    this.messages.sent.merge('due');
    const [log, pos, recent] = [this.log.state, this.#pos, this.messages.sent.recent];
    this.#appended = [];
    try {
      return { value: this.#inOne(write), events: this.#appended };
    } catch (error) {
      this.#restore(log, pos, recent, 0);
      throw error;
    }
  }

  /** Runs `write` within a commit so that it can be undone alone: it is where it throws, and the error goes on. */
  attempt<T>(write: () => T): T {
    const [log, pos, recent, appended] = [this.log.state, this.#pos, this.messages.sent.recent, this.#appended.length];
    try {
      return this.#sql.transaction(write);
    } catch (error) {
      this.#restore(log, pos, recent, appended);
      throw error;
    }
  }

  #inOne<T>(write: () => T): T {
    this.#commits += 1;
    return this.#commits <= CAREFUL_COMMITS ? this.#sql.transaction(write) : this.#sql.turn(write);
  }

  #savePos(): void {
    this.#sql.run('UPDATE room_state SET pos = ? WHERE id = 1', this.#pos);
  }

  #restore(log: EventLog['state'], pos: number, recent: number, appended: number): void {
    this.log.rewind(log);
    this.#pos = pos;
    this.#appended.length = appended;
    this.access.forget();
    this.messages.sent.rewind(recent);
  }
}
