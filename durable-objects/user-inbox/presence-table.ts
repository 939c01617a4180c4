import type { CustomStatus, PresenceChoice, PresenceState } from '../../protocol/presence.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { PresenceNotice, WatchedPresence } from './presence-api.ts';
import { type Lease, NO_LEASE, type Told, type Wish } from './presence.ts';

/** Rooms that are told of one user. Past it a room is answered, and not told of changes (G8). */
const MAX_WATCHERS = 500;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS presence (
    id INTEGER PRIMARY KEY CHECK (id = 1), choice TEXT NOT NULL, wish_status TEXT, wish_version INTEGER NOT NULL,
    state TEXT NOT NULL, status TEXT, told_at INTEGER NOT NULL, version INTEGER NOT NULL, logged_version INTEGER NOT NULL,
    closed_active INTEGER NOT NULL, closed_any INTEGER NOT NULL, is_open INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS presence_watchers (channel_id TEXT PRIMARY KEY, told_version INTEGER NOT NULL) WITHOUT ROWID;`;

/** `closed`: what sockets that are gone still vouch for. `isOpen`: there are sockets. `loggedVersion`: the last that is in Postgres. */
export interface PresenceRow {
  readonly wish: Wish;
  readonly told: Told;
  readonly closed: Lease;
  readonly isOpen: boolean;
  readonly loggedVersion: number;
}

const UNSEEN: PresenceRow = {
  wish: { choice: 'auto', status: null, version: 0 },
  told: { state: 'offline', status: null, at: 0, version: 0 },
  closed: NO_LEASE,
  isOpen: false,
  loggedVersion: 0,
};

type Columns = {
  choice: PresenceChoice; wish_status: string | null; wish_version: number; state: PresenceState; status: string | null; told_at: number; version: number;
  logged_version: number; closed_active: number; closed_any: number; is_open: number;
};

export const noticeOf = (userId: string, { state, status, version }: Told): PresenceNotice => ({ presence: { user_id: userId, state, status }, version });

/** A user's presence as the inbox keeps it in SQLite, and which rooms are told of it. */
export class PresenceTable {
  readonly #sql: SqlDriver;
  #row: PresenceRow;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
    const [columns] = sql.all<Columns>(
      'SELECT choice, wish_status, wish_version, state, status, told_at, version, logged_version, closed_active, closed_any, is_open FROM presence WHERE id = 1',
    );
    this.#row = columns === undefined ? UNSEEN : rowOf(columns);
  }

  get row(): PresenceRow {
    return this.#row;
  }

  save(changed: Partial<PresenceRow>): void {
    this.#row = { ...this.#row, ...changed };
    const { wish, told, closed, isOpen, loggedVersion } = this.#row;
    this.#sql.run(
      `INSERT OR REPLACE INTO presence (id, choice, wish_status, wish_version, state, status, told_at, version, logged_version, closed_active, closed_any, is_open)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      wish.choice, written(wish.status), wish.version, told.state, written(told.status), told.at, told.version, loggedVersion, closed.active, closed.any, isOpen ? 1 : 0,
    );
  }

  /** A room begins to look. It is answered, and told of changes until it says that nobody looks any more. */
  watch(userId: string, channelId: string): WatchedPresence {
    return { ...noticeOf(userId, this.#row.told), watching: this.#addWatcher(channelId) };
  }

  #addWatcher(channelId: string): boolean {
    const known = this.#sql.all<{ told_version: number }>('SELECT told_version FROM presence_watchers WHERE channel_id = ?', channelId).length > 0;
    if (!known && this.#countWatchers() >= MAX_WATCHERS) return false;
    this.markTold(channelId, this.#row.told.version);
    return true;
  }

  /** The room did not want this version. One that began to look meanwhile knows it, and stays. */
  removeWatcher(channelId: string, version: number): void {
    this.#sql.run('DELETE FROM presence_watchers WHERE channel_id = ? AND told_version < ?', channelId, version);
  }

  markTold(channelId: string, version: number): void {
    this.#sql.run('INSERT OR REPLACE INTO presence_watchers (channel_id, told_version) VALUES (?, ?)', channelId, version);
  }

  /** Rooms that do not know the newest version. */
  untold(): string[] {
    const rows = this.#sql.all<{ channel_id: string }>('SELECT channel_id FROM presence_watchers WHERE told_version < ?', this.#row.told.version);
    return rows.map((row) => row.channel_id);
  }

  #countWatchers(): number {
    return this.#sql.all<{ n: number }>('SELECT count(*) AS n FROM presence_watchers')[0]?.n ?? 0;
  }
}

const rowOf = (columns: Columns): PresenceRow => ({
  wish: { choice: columns.choice, status: read(columns.wish_status), version: columns.wish_version },
  told: { state: columns.state, status: read(columns.status), at: columns.told_at, version: columns.version },
  closed: { active: columns.closed_active, any: columns.closed_any },
  isOpen: columns.is_open === 1,
  loggedVersion: columns.logged_version,
});

const written = (status: CustomStatus | null): string | null => (status === null ? null : JSON.stringify(status));
/** It was written by `written`. */
const read = (json: string | null): CustomStatus | null => (json === null ? null : (JSON.parse(json) as CustomStatus));
