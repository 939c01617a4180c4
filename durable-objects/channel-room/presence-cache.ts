import type { CustomStatus, PresenceState, UserPresence } from '../../protocol/presence.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { PresenceNotice } from '../user-inbox/presence-api.ts';

const SCHEMA = `CREATE TABLE IF NOT EXISTS presences (user_id TEXT PRIMARY KEY, state TEXT NOT NULL, status TEXT, version INTEGER NOT NULL) WITHOUT ROWID;`;

type Row = { user_id: string; state: PresenceState; status: string | null; version: number };

/** What the room knows of its members' presence: of those whose inboxes tell it of changes. Kept in SQLite, so that a room that slept needs not ask again. */
export class PresenceCache {
  readonly #sql: SqlDriver;
  #loaded: Map<string, PresenceNotice> | null = null;
  /** Of inboxes that will not tell of changes. */
  readonly #passing = new Set<string>();

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  /** Whether it is known and kept up to date. */
  has(userId: string): boolean {
    return this.#notices.has(userId) && !this.#passing.has(userId);
  }

  get all(): UserPresence[] {
    return [...this.#notices.values()].map(({ presence }) => presence);
  }

  /** False: it is not newer than what is known. `lasting` false: its changes will not be told, so the next who looks has to ask again. */
  learn(notice: PresenceNotice, lasting: boolean): boolean {
    const { presence, version } = notice;
    if (lasting) this.#passing.delete(presence.user_id);
    else this.#passing.add(presence.user_id);
    const known = this.#notices.get(presence.user_id);
    if (known !== undefined && known.version >= version) return false;
    this.#notices.set(presence.user_id, notice);
    if (lasting) this.#save(notice);
    return true;
  }

  forget(userId: string): void {
    this.#passing.delete(userId);
    if (this.#notices.delete(userId)) this.#sql.run('DELETE FROM presences WHERE user_id = ?', userId);
  }

  /** Few rooms that wake are asked for it. */
  get #notices(): Map<string, PresenceNotice> {
    return (this.#loaded ??= new Map(this.#sql.all<Row>('SELECT user_id, state, status, version FROM presences').map((row) => [row.user_id, noticeOf(row)])));
  }

  #save({ presence, version }: PresenceNotice): void {
    this.#sql.run(
      'INSERT OR REPLACE INTO presences (user_id, state, status, version) VALUES (?, ?, ?, ?)',
      presence.user_id, presence.state, presence.status === null ? null : JSON.stringify(presence.status), version,
    );
  }
}

const noticeOf = ({ user_id, state, status, version }: Row): PresenceNotice => ({
  // It was written by `learn`.
  presence: { user_id, state, status: status === null ? null : (JSON.parse(status) as CustomStatus) },
  version,
});
