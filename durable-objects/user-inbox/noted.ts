import type { InboxNote } from '../../protocol/inbox-events.ts';
import type { SqlDriver } from '../log/sql-driver.ts';

const SCHEMA = 'CREATE TABLE IF NOT EXISTS noted (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL);';

/** Things whose last version is remembered: those that changed last. */
export const KEPT_NOTES = 2_000;

const nameOf = (note: InboxNote): string => `${note.type} ${note.type === 'scheduled_message.failed' ? note.scheduled_message_id : `${note.channel_id} ${note.thread_id ?? ''}`}`;

/** Of which version of the user's own things the log tells, in SQLite: two calls may come in another order than their changes, and one may come twice. */
export class Noted {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  /** Whether this is news, which it then is no more. */
  admits(note: InboxNote, version: number): boolean {
    const name = nameOf(note);
    const [known] = this.#sql.all<{ version: number }>('SELECT version FROM noted WHERE name = ?', name);
    if (known !== undefined && version <= known.version) return false;
    this.#sql.run('DELETE FROM noted WHERE name = ?', name);
    this.#sql.run('INSERT INTO noted (number, name, version) VALUES ((SELECT coalesce(max(number), 0) + 1 FROM noted), ?, ?)', name, version);
    this.#sql.run(`DELETE FROM noted WHERE number <= (SELECT number FROM noted ORDER BY number DESC LIMIT 1 OFFSET ${KEPT_NOTES})`);
    return true;
  }
}
