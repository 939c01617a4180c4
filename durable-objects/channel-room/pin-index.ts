import type { SqlDriver } from '../log/sql-driver.ts';

/** Not there before 2026-11-26. Rows are at most `MAX_PINS`. */
export const PIN_SCHEMA = 'CREATE TABLE pins (message_id TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;';

/** Which messages are pinned, and by which event each was. */
export class PinIndex {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
  }

  get size(): number {
    return this.#sql.all<{ size: number }>('SELECT count(*) AS size FROM pins')[0]?.size ?? 0;
  }

  /** Null where it is not pinned. */
  seqOf(messageId: string): number | null {
    return this.#sql.all<{ seq: number }>('SELECT seq FROM pins WHERE message_id = ?', messageId)[0]?.seq ?? null;
  }

  add({ message_id, seq }: { readonly message_id: string; readonly seq: number }): void {
    this.#sql.run('INSERT INTO pins (message_id, seq) VALUES (?, ?)', message_id, seq);
  }

  remove(messageId: string): void {
    this.#sql.run('DELETE FROM pins WHERE message_id = ?', messageId);
  }
}
