import type { SqlDriver } from '../log/sql-driver.ts';
import type { InboxBadge } from '../../protocol/tellings.ts';

const SCHEMA = 'CREATE TABLE IF NOT EXISTS counted_levels (channel_id TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;';

/**
 * By which settings and notices the badges of channels were counted, in SQLite: two counts of one moment of a channel may differ by the level their user has chosen
 * in between, or by a notice that was stored. Only channels that were counted since there was any of that have a row.
 */
export class CountedLevels {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  /** Whether this badge was counted by the newest of that, which it may be the first to bring. */
  admits({ channel_id, settings_version: version }: InboxBadge): boolean {
    if (version === undefined) return true;
    const known = this.#sql.all<{ version: number }>('SELECT version FROM counted_levels WHERE channel_id = ?', channel_id)[0]?.version ?? 0;
    if (version > known) this.#sql.run('INSERT OR REPLACE INTO counted_levels (channel_id, version) VALUES (?, ?)', channel_id, version);
    return version >= known;
  }
}
