import type { SqlDriver } from '../log/sql-driver.ts';

const SCHEMA = 'CREATE TABLE IF NOT EXISTS notice_marker (id INTEGER PRIMARY KEY CHECK (id = 1), read_seq INTEGER NOT NULL);';

/** Up to which event of the log notices were marked as read, in SQLite. */
export class NoticeMarker {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  get readSeq(): number {
    return this.#sql.all<{ read_seq: number }>('SELECT read_seq FROM notice_marker WHERE id = 1')[0]?.read_seq ?? 0;
  }

  moveTo(seq: number): void {
    this.#sql.run('INSERT OR REPLACE INTO notice_marker (id, read_seq) VALUES (1, ?)', seq);
  }
}
