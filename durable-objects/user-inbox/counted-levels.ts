import type { SqlDriver } from '../log/sql-driver.ts';
import type { InboxBadge } from '../../protocol/tellings.ts';
import { isOlder, type Moment } from './badge-merge.ts';

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

  /**
   * Whether this badge was not counted by less of that than the one that is `known`, of the same moment. Of a newer moment it was counted by at least as much, unless Postgres was put back
   * from a backup, and then less is what there is; of an older one it is passed over anyway.
   */
  admits(told: InboxBadge, known: Moment): boolean {
    const { channel_id, settings_version: version } = told;
    if (version === undefined || isOlder(told, known)) return true;
    const counted = this.#sql.all<{ version: number }>('SELECT version FROM counted_levels WHERE channel_id = ?', channel_id)[0]?.version ?? 0;
    if (version < counted && !isOlder(known, told)) return false;
    if (version !== counted) this.#sql.run('INSERT OR REPLACE INTO counted_levels (channel_id, version) VALUES (?, ?)', channel_id, version);
    return true;
  }
}
