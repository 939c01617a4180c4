import type { Sql } from '../../db/client.ts';
import type { GroupHistory, Place } from './effect-checker.ts';

/** What became of the records of these keys, among others that topics have of other tests, in a ledger group (`consumers/runtime/ledger.fixture.ts`), as the checker of effects wants it. */
export async function readHistory(sql: Sql, groupId: string, keys: readonly string[]): Promise<GroupHistory> {
  const wanted = JSON.stringify(keys);
  const log = await sql<Place[]>`
    SELECT e.key::text AS key, e.position::float8 AS position FROM event_log e
    WHERE e.key IN (SELECT k.key::uuid FROM json_array_elements_text(${wanted}::text::json) AS k (key)) ORDER BY e.position`;
  const effects = await sql<Place[]>`
    SELECT l.key::text AS key, l.position::float8 AS position FROM ledger l
    WHERE l.group_id = ${groupId} AND l.key IN (SELECT k.key::uuid FROM json_array_elements_text(${wanted}::text::json) AS k (key)) ORDER BY l.place`;
  const parked = await sql<Place[]>`
    SELECT r.key::text AS key, (r.headers ->> 'log_position')::float8 AS position FROM parked_records r
    WHERE r.group_id = ${groupId} AND r.key IN (SELECT k.key::uuid FROM json_array_elements_text(${wanted}::text::json) AS k (key))`;
  const dead = await sql<Place[]>`
    SELECT k.key, (d.headers ->> 'log_position')::float8 AS position
    FROM dead_letters d JOIN json_array_elements_text(${wanted}::text::json) AS k (key) ON d.record_key = convert_to(k.key, 'UTF8')
    WHERE d.group_id = ${groupId}`;
  return { log, effects, parked, dead };
}
