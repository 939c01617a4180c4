import type { SqlDriver } from '../log/sql-driver.ts';

const SCHEMA = 'CREATE TABLE IF NOT EXISTS saved_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);';

/** Up to which version of the user's list of saved messages the log tells, in SQLite. */
export class SavedVersion {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  get told(): number {
    return this.#sql.all<{ version: number }>('SELECT version FROM saved_version WHERE id = 1')[0]?.version ?? 0;
  }

  moveTo(version: number): void {
    this.#sql.run('INSERT OR REPLACE INTO saved_version (id, version) VALUES (1, ?)', version);
  }
}
