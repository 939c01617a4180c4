import { sql, type SQL } from 'drizzle-orm';
import type { DeadLetterFilter } from '../../protocol/dead-letters.ts';

/** Which rows of `dead_letters d`: those named, or those of a filter. */
export type Selection = { readonly ids: readonly string[] } | { readonly filter: DeadLetterFilter };

export const selected = (selection: Selection): SQL => ('ids' in selection ? named(selection.ids) : filtered(selection.filter));

export const named = (ids: readonly string[]): SQL => sql`d.id IN (SELECT i.id::uuid FROM json_array_elements_text(${JSON.stringify(ids)}::text::json) AS i (id))`;

export function filtered({ group, topic, status, error_class, since, until }: DeadLetterFilter): SQL {
  return sql.join(
    [
      sql`true`,
      ...(group === undefined ? [] : [group === 'drain' ? sql`d.stage = 'drain'` : sql`d.group_id = ${group}`]),
      ...(topic === undefined ? [] : [sql`d.topic = ${topic}`]),
      ...(status === undefined ? [] : [sql`d.status = ${status}`]),
      ...(error_class === undefined ? [] : [sql`d.error_class = ${error_class}`]),
      ...(since === undefined ? [] : [sql`d.last_failed_at >= ${since}::timestamptz`]),
      ...(until === undefined ? [] : [sql`d.last_failed_at < ${until}::timestamptz`]),
    ],
    sql` AND `,
  );
}

/** What a redrive hands over: edits stand in the place of what came. */
export const redrivenKey: SQL = sql`coalesce(d.edited_key, d.record_key)`;
export const redrivenValue: SQL = sql`coalesce(d.edited_value, d.record_value)`;
export const redrivenHeaders: SQL = sql`coalesce(d.edited_headers, d.headers)`;

/** Bytes as text that is safe to look at and to compare: what is not printable ASCII is escaped, so it equals no id. */
export const escaped = (bytes: SQL): SQL => sql`encode(${bytes}, 'escape')`;

const positionText: SQL = sql`${redrivenHeaders} ->> 'log_position'`;
/** The position in the log, by which records of one key are in order; null where it is missing or malformed. */
export const redrivenPosition: SQL = sql`CASE WHEN ${positionText} ~ '^[1-9][0-9]{0,15}$' THEN (${positionText})::bigint END`;
/** Whether the letter has a group to go to, and a key and a position that name its place in the group's queue. */
export const isFit: SQL = sql`coalesce(d.group_id IS NOT NULL AND ${redrivenPosition} IS NOT NULL
  AND ${escaped(redrivenKey)} ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', false)`;
