import type { Sql } from './client.ts';

/** How far ahead partitions are made: months of `messages` and `search_messages`, days of `event_log`. */
export const PREMADE_MONTHS = 3;
export const PREMADE_DAYS = 14;

/** Makes the partitions missing from `since` (default: the database's now) on; returns how many it made. */
export async function premakePartitions(sql: Sql, since?: Date): Promise<number> {
  const [row] = await sql<{ made: number }[]>`
    SELECT premake_partitions(${PREMADE_MONTHS}, ${PREMADE_DAYS}, coalesce(${since?.toISOString() ?? null}::timestamptz, now())) AS made`;
  return row?.made ?? 0;
}
