import type { SqlDriver } from '../log/sql-driver.ts';

const SCHEMA = 'CREATE TABLE IF NOT EXISTS given_notices (channel_id TEXT NOT NULL, channel_seq INTEGER NOT NULL, PRIMARY KEY (channel_id, channel_seq)) WITHOUT ROWID;';

/** The newest of a channel that are known one by one. */
export const KEPT_NOTICES = 200;

/** Which notices of a channel the log has, in SQLite: so that one that comes late, as a dead letter redriven, is told from a repetition. */
export class GivenNotices {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  has(channelId: string, seq: number): boolean {
    return this.#sql.all('SELECT 1 AS given FROM given_notices WHERE channel_id = ? AND channel_seq = ?', channelId, seq).length > 0;
  }

  /** Returns the `seq` up to which notices of the channel are no longer known one by one, or null: all are that were added. */
  add(channelId: string, seq: number): number | null {
    this.#sql.run('INSERT INTO given_notices (channel_id, channel_seq) VALUES (?, ?)', channelId, seq);
    const [row] = this.#sql.all<{ seq: number }>(
      `SELECT channel_seq AS seq FROM given_notices WHERE channel_id = ? ORDER BY channel_seq DESC LIMIT 1 OFFSET ${KEPT_NOTICES}`, channelId,
    );
    if (row === undefined) return null;
    this.#sql.run('DELETE FROM given_notices WHERE channel_id = ? AND channel_seq <= ?', channelId, row.seq);
    return row.seq;
  }
}
