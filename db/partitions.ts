import type { Sql } from './client.ts';

/** How far ahead partitions are made: months of `messages` and `search_messages`, days of `event_log`. */
export const PREMADE_MONTHS = 3;
export const PREMADE_DAYS = 14;
/** How far ahead one must not be missing. Less than what is premade, so that a late run is no alarm. */
const NEEDED_MONTHS = 1;
const NEEDED_DAYS = 7;
/** And how far back: ids of messages tell the time of the machine that made them, which may be behind, and so may the next one's that serves Postgres. */
const BACK = '2 days';
/** The relay looks back this far behind its base snapshot. */
const RELAY_SLACK = '1 day';

const instant = (date: Date | undefined): string | null => date?.toISOString() ?? null;

/** Makes the partitions missing from `since` (default: two days before the database's now) on; returns how many it made. */
export async function premakePartitions(sql: Sql, since?: Date): Promise<number> {
  const [row] = await sql<{ made: number }[]>`
    SELECT premake_partitions(${PREMADE_MONTHS}, ${PREMADE_DAYS}, coalesce(${instant(since)}::timestamptz, now() - ${BACK}::interval)) AS made`;
  return row?.made ?? 0;
}

/** Names of the partitions that writes will need within a month (`event_log`: a week) and that are not there. Empty is healthy. */
export async function missingPartitions(sql: Sql, since?: Date): Promise<string[]> {
  const rows = await sql<{ child: string }[]>`
    SELECT child FROM missing_partitions(${NEEDED_MONTHS}, ${NEEDED_DAYS}, coalesce(${instant(since)}::timestamptz, now() - ${BACK}::interval)) ORDER BY child`;
  return rows.map((row) => row.child);
}

export interface DropOptions {
  /** Days an event can be resumed from. */
  readonly retentionDays: number;
  /** Keep what was logged from here on, whatever its age: a reader besides the relay still needs it. */
  readonly keepFrom?: Date;
}

interface OldDay {
  readonly child: string;
  /** `detaching`: an earlier run was cut off in the middle. `detached`: it was cut off before the drop. */
  readonly state: 'attached' | 'detaching' | 'detached';
}

/**
 * Drops the whole days of `event_log` that are past retention and that the relay has carried; returns their names. Readers and writers
 * go on meanwhile. A second run at the same time does nothing; a run cut off at any point is finished by the next. `sql` needs two
 * sockets: one holds the lock.
 */
export async function dropOldEventLog(sql: Sql, options: DropOptions): Promise<string[]> {
  // The work is done outside the transaction of the lock, for Postgres detaches concurrently in none. That one must hold no snapshot
  // meanwhile, which detaching would wait for: hence the simple protocol.
  return sql.begin(async (tx): Promise<string[]> => {
    const [lock] = await tx<{ held: boolean }[]>`SELECT pg_try_advisory_xact_lock(hashtext('colink.drop_event_log')) AS held`.simple();
    return lock?.held ? dropDays(sql, await oldDays(sql, options)) : [];
  });
}

function oldDays(sql: Sql, { retentionDays, keepFrom }: DropOptions): Promise<OldDay[]> {
  return sql<OldDay[]>`
    SELECT d.child, CASE WHEN i.inhrelid IS NULL THEN 'detached' WHEN i.inhdetachpending THEN 'detaching' ELSE 'attached' END AS state
    FROM (
      SELECT c.oid, c.relname AS child, to_date(substring(c.relname FROM '^event_log_([0-9]{4}_[0-9]{2}_[0-9]{2})$'), 'YYYY_MM_DD') AS day
      FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    ) d LEFT JOIN pg_inherits i ON i.inhrelid = d.oid
    WHERE (d.day + 1)::timestamp AT TIME ZONE 'UTC' <= least(
      now() - make_interval(days => ${retentionDays}),
      ${instant(keepFrom)}::timestamptz,
      (SELECT min(r.base_taken_at) - ${RELAY_SLACK}::interval FROM relay_states r))
    ORDER BY d.child`;
}

async function dropDays(sql: Sql, days: readonly OldDay[]): Promise<string[]> {
  for (const { child, state } of days) {
    if (state === 'attached') await sql`ALTER TABLE event_log DETACH PARTITION ${sql(child)} CONCURRENTLY`;
    if (state === 'detaching') await sql`ALTER TABLE event_log DETACH PARTITION ${sql(child)} FINALIZE`;
    await sql`DROP TABLE ${sql(child)}`;
  }
  return days.map((day) => day.child);
}
