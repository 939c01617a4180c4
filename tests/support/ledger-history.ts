import { offsetOf } from '../../consumers/runtime/kafka-cursor.ts';
import type { Sql } from '../../db/client.ts';
import type { CursorHistory, GroupHistory, Place } from './effect-checker.ts';

/** Keeps every place that a cursor of a group is stored at, in the order in which it was committed: the row's lock has it so. */
export async function recordCursors(sql: Sql): Promise<void> {
  await sql.unsafe(`
    CREATE TABLE cursor_history (place bigint GENERATED ALWAYS AS IDENTITY, group_id text NOT NULL, topic text NOT NULL, partition integer NOT NULL, cursor text);
    CREATE FUNCTION record_cursor() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO cursor_history (group_id, topic, partition, cursor) VALUES (NEW.group_id, NEW.topic, NEW.partition, NEW.cursor);
      RETURN NEW;
    END $$;
    CREATE TRIGGER record_cursor AFTER UPDATE ON consumer_offsets FOR EACH ROW EXECUTE FUNCTION record_cursor()`);
}

/** None where nobody asked to have them recorded. */
export async function readCursorHistory(sql: Sql, groupId: string): Promise<CursorHistory[]> {
  const [table] = await sql<[{ name: string | null }]>`SELECT to_regclass('cursor_history')::text AS name`;
  if (table.name === null) return [];
  const rows = await sql<{ stream: string; cursor: string | null }[]>`
    SELECT h.topic || '/' || h.partition AS stream, h.cursor FROM cursor_history h WHERE h.group_id = ${groupId} ORDER BY h.place`;
  const byStream = Map.groupBy(rows, ({ stream }) => stream);
  return [...byStream].map(([stream, stored]) => ({ stream, offsets: stored.flatMap(({ cursor }) => offsetOf(cursor) ?? []) }));
}

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
    WHERE r.group_id = ${groupId} AND r.dead_letter_id IS NULL
      AND r.key IN (SELECT k.key::uuid FROM json_array_elements_text(${wanted}::text::json) AS k (key))`;
  const letters = await sql<(Place & { status: string })[]>`
    SELECT k.key, (d.headers ->> 'log_position')::float8 AS position, d.status
    FROM dead_letters d JOIN json_array_elements_text(${wanted}::text::json) AS k (key) ON d.record_key = convert_to(k.key, 'UTF8')
    WHERE d.group_id = ${groupId}`;
  const of = (...statuses: string[]): Place[] => letters.filter(({ status }) => statuses.includes(status)).map(({ key, position }) => ({ key, position }));
  const redriven = new Set(of('redriving', 'redriven').map(({ position }) => position));
  // A letter that is on its way back to its group is dead still; one that its group took is an effect.
  return { log, effects, parked, dead: of('pending', 'redriving'), discarded: of('discarded'), redriven, cursors: await readCursorHistory(sql, groupId) };
}
