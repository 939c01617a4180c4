import type { SqlDriver } from '../log/sql-driver.ts';

/** Not there before 2026-11-27. Rows are of messages that have previews, or had: `fingerprint` null where what was told is not known; `removed_seq` null unless they were removed. */
export const PREVIEW_SCHEMA = 'CREATE TABLE previews (message_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, fingerprint INTEGER, removed_seq INTEGER) WITHOUT ROWID;';

export interface IndexedPreviews {
  readonly message_id: string;
  /** Of the message, as of which they were told. */
  readonly revision: number;
  readonly fingerprint: number | null;
  /** The event by which they were removed. */
  readonly removed_seq: number | null;
}

/** Which messages have been told to have previews, and which shall have none. */
export class PreviewIndex {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
  }

  find(messageId: string): IndexedPreviews | undefined {
    return this.#sql.all<{ message_id: string; revision: number; fingerprint: number | null; removed_seq: number | null }>(
      'SELECT message_id, revision, fingerprint, removed_seq FROM previews WHERE message_id = ?', messageId,
    )[0];
  }

  set({ message_id, revision, fingerprint, removed_seq }: IndexedPreviews): void {
    this.#sql.run('REPLACE INTO previews (message_id, revision, fingerprint, removed_seq) VALUES (?, ?, ?, ?)', message_id, revision, fingerprint, removed_seq);
  }

  remove(messageId: string): void {
    this.#sql.run('DELETE FROM previews WHERE message_id = ?', messageId);
  }
}
