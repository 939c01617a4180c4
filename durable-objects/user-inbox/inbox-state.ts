import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { EventLog, LOG_SCHEMA, type LogEvent } from '../log/event-log.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { CountedLevels } from './counted-levels.ts';
import { GivenNotices } from './given-notices.ts';
import { CHANNELS_SCHEMA, InboxChannels } from './inbox-channels.ts';
import { Noted } from './noted.ts';
import { NoticeMarker } from './notice-marker.ts';
import { SavedVersion } from './saved-version.ts';

type WithoutBase<E> = E extends InboxEvent ? Omit<E, 'seq' | 'id' | 'at'> : never;
/** An event before the log numbers and dates it. */
export type InboxEventBody = WithoutBase<InboxEvent>;

export interface InboxOrigin {
  readonly userId: string;
  readonly epoch: number;
  readonly fence: number;
  /** Where the log goes on: everything up to here is in Postgres. */
  readonly seq: number;
  readonly awakeVersion: number;
  /** Up to which event notices were marked as read. */
  readonly noticesReadSeq: number;
}

/**
 * `awake_version`: by which Postgres was told to tell this inbox of badges; `is_awake`: whether it is still told. `owes_badges`: badges have
 * changed that the sockets were not sent yet. `left_at`: when the last socket left, in epoch milliseconds; null while there is one.
 */
const STATE_SCHEMA = `
  CREATE TABLE inbox_state (
    id INTEGER PRIMARY KEY CHECK (id = 1), user_id TEXT NOT NULL, awake_version INTEGER NOT NULL, is_awake INTEGER NOT NULL, owes_badges INTEGER NOT NULL,
    left_at INTEGER
  );`;
/** Not the alarms: the instance that ends may still set its own. */
const TABLES = ['inbox_state', 'events', 'log_state', 'channels', 'given_notices', 'notice_marker', 'counted_levels', 'noted', 'read_generations', 'saved_version'];

type StateRow = { user_id: string; awake_version: number; is_awake: number; owes_badges: number; left_at: number | null };

/** All an inbox knows, in SQLite: its log, and its user's channels with their badges. Everything is synchronous. */
export class InboxState {
  readonly log: EventLog;
  readonly channels: InboxChannels;
  readonly given: GivenNotices;
  readonly marker: NoticeMarker;
  readonly levels: CountedLevels;
  readonly noted: Noted;
  readonly saved: SavedVersion;
  readonly userId: string;
  readonly #sql: SqlDriver;
  readonly #newId: (now: number) => string;
  #row: StateRow;
  #appended: LogEvent[] = [];

  /** From now on `open` finds nothing. */
  static forget(sql: SqlDriver): void {
    sql.transaction(() => TABLES.forEach((table) => sql.run(`DROP TABLE IF EXISTS ${table}`)));
  }

  /** Lays an inbox anew; whatever was there is gone. `fill` puts its channels. */
  static create(sql: SqlDriver, { userId, epoch, fence, seq, awakeVersion, noticesReadSeq }: InboxOrigin, fill: (channels: InboxChannels) => void): void {
    sql.transaction(() => {
      InboxState.forget(sql);
      sql.run(LOG_SCHEMA + CHANNELS_SCHEMA + STATE_SCHEMA);
      EventLog.create(sql, epoch, fence, seq);
      sql.run('INSERT INTO inbox_state (id, user_id, awake_version, is_awake, owes_badges, left_at) VALUES (1, ?, ?, 0, 0, 0)', userId, awakeVersion);
      new NoticeMarker(sql).moveTo(noticesReadSeq);
      fill(new InboxChannels(sql));
    });
  }

  /** Null where this object has never learned its user; then nothing is written. `newId`: a fresh UUIDv7 of a moment in epoch milliseconds. */
  static open(sql: SqlDriver, newId: (now: number) => string): InboxState | null {
    if (sql.all(`SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'inbox_state'`).length === 0) return null;
    const [row] = sql.all<StateRow>('SELECT user_id, awake_version, is_awake, owes_badges, left_at FROM inbox_state WHERE id = 1');
    return row === undefined ? null : new InboxState(sql, row, newId);
  }

  private constructor(sql: SqlDriver, row: StateRow, newId: (now: number) => string) {
    this.#sql = sql;
    this.#row = row;
    this.#newId = newId;
    this.userId = row.user_id;
    this.log = EventLog.open(sql);
    this.channels = new InboxChannels(sql);
    this.given = new GivenNotices(sql);
    this.marker = new NoticeMarker(sql);
    this.levels = new CountedLevels(sql);
    this.noted = new Noted(sql);
    this.saved = new SavedVersion(sql);
  }

  get isAwake(): boolean {
    return this.#row.is_awake === 1;
  }

  get awakeVersion(): number {
    return this.#row.awake_version;
  }

  get owesBadges(): boolean {
    return this.#row.owes_badges === 1;
  }

  get leftAt(): number | null {
    return this.#row.left_at;
  }

  setLeftAt(leftAt: number | null): void {
    if (leftAt !== this.#row.left_at) this.#put({ ...this.#row, left_at: leftAt });
  }

  setAwake(isAwake: boolean, version = this.#row.awake_version): void {
    this.#put({ ...this.#row, is_awake: isAwake ? 1 : 0, awake_version: version });
  }

  setOwesBadges(owes: boolean): void {
    if (owes !== this.owesBadges) this.#put({ ...this.#row, owes_badges: owes ? 1 : 0 });
  }

  newId(now: number): string {
    return this.#newId(now);
  }

  /** Numbers, dates and appends, inside `commit`. What others caused bears the id of its cause. */
  append(body: InboxEventBody, now: number, id = this.newId(now)): void {
    const { type, ...rest } = body;
    this.#appended.push(this.log.append({ type, seq: this.log.state.seq + 1, id, at: new Date(now).toISOString(), ...rest }, now));
  }

  /** Runs `write` as one transaction and returns the events it appended. Where it throws, nothing has happened. */
  commit(write: () => void): readonly LogEvent[] {
    const before = this.log.state;
    this.#appended = [];
    try {
      this.#sql.transaction(write);
      return this.#appended;
    } catch (error) {
      this.log.rewind(before);
      throw error;
    }
  }

  #put(row: StateRow): void {
    const { awake_version, is_awake, owes_badges, left_at } = row;
    this.#sql.run('UPDATE inbox_state SET awake_version = ?, is_awake = ?, owes_badges = ?, left_at = ? WHERE id = 1', awake_version, is_awake, owes_badges, left_at);
    this.#row = row;
  }
}
