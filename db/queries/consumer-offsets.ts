import type postgres from 'postgres';
import type { Topic } from '../../protocol/topics.ts';

type AnySql = postgres.ISql;

/** One stream of one group: what one offset row counts. */
export interface Stream {
  readonly groupId: string;
  readonly topic: Topic;
  readonly partition: number;
}

/** Where a group stands in a stream, in its source's notation; null before the first batch. */
export async function readCursor(sql: AnySql, { groupId, topic, partition }: Stream): Promise<string | null> {
  const [row] = await sql<{ cursor: string }[]>`
    SELECT o.cursor FROM consumer_offsets o WHERE o.group_id = ${groupId} AND o.topic = ${topic} AND o.partition = ${partition}`;
  return row === undefined || row.cursor === '' ? null : row.cursor;
}

/** Where a group stands in each partition of a topic it has read of. */
export async function readCursors(sql: AnySql, groupId: string, topic: Topic): Promise<Map<number, string>> {
  const rows = await sql<{ partition: number; cursor: string }[]>`
    SELECT o.partition, o.cursor FROM consumer_offsets o WHERE o.group_id = ${groupId} AND o.topic = ${topic} AND o.cursor <> ''`;
  return new Map(rows.map(({ partition, cursor }) => [partition, cursor]));
}

/** A stream that a group has read of. `takenAt`: when its last batch was stored, by Postgres' clock, in milliseconds since 1970. */
export interface StreamState extends Stream {
  readonly cursor: string;
  readonly takenAt: number;
}

/** Every stream that any group has read of, or this group. */
export async function readStreams(sql: AnySql, groupId: string | null = null): Promise<StreamState[]> {
  return sql<StreamState[]>`
    SELECT o.group_id AS "groupId", o.topic, o.partition, o.cursor, (extract(epoch FROM o.updated_at) * 1000)::float8 AS "takenAt"
    FROM consumer_offsets o WHERE o.cursor <> '' AND (${groupId}::text IS NULL OR o.group_id = ${groupId}::text)
    ORDER BY o.group_id, o.topic, o.partition`;
}

/** Where a group stands in one stream, holding the row until the transaction ends: two readers of one stream take turns. */
export async function lockCursor(tx: AnySql, { groupId, topic, partition }: Stream): Promise<string | null> {
  await tx`INSERT INTO consumer_offsets (group_id, topic, partition, cursor) VALUES (${groupId}, ${topic}, ${partition}, '') ON CONFLICT DO NOTHING`;
  const [row] = await tx<[{ cursor: string }]>`
    SELECT o.cursor FROM consumer_offsets o
    WHERE o.group_id = ${groupId} AND o.topic = ${topic} AND o.partition = ${partition} FOR UPDATE`;
  return row.cursor === '' ? null : row.cursor;
}

export async function saveCursor(tx: AnySql, { groupId, topic, partition }: Stream, cursor: string): Promise<void> {
  await tx`
    UPDATE consumer_offsets SET cursor = ${cursor}, updated_at = now()
    WHERE group_id = ${groupId} AND topic = ${topic} AND partition = ${partition}`;
}

/** The highest log position a group has taken over of each of `keys`; keys it has never seen are absent. */
export async function readTakenPositions(tx: AnySql, groupId: string, topic: Topic, keys: readonly string[]): Promise<Map<string, number>> {
  const rows = await tx<{ key: string; position: number }[]>`
    SELECT c.key::text AS key, c.position::float8 AS position
    FROM json_array_elements_text(${JSON.stringify(keys)}::text::json) AS k (key)
    JOIN consumer_keys c ON c.group_id = ${groupId} AND c.topic = ${topic} AND c.key = k.key::uuid`;
  return new Map(rows.map(({ key, position }) => [key, position]));
}

export async function saveTakenPositions(tx: AnySql, groupId: string, topic: Topic, positions: ReadonlyMap<string, number>): Promise<void> {
  if (positions.size === 0) return;
  const rows = [...positions].map(([key, position]) => ({ key, position }));
  await tx`
    INSERT INTO consumer_keys AS c (group_id, topic, key, position)
    SELECT ${groupId}, ${topic}, r.key, r.position FROM json_to_recordset(${JSON.stringify(rows)}::text::json) AS r (key uuid, position bigint)
    ON CONFLICT (group_id, topic, key) DO UPDATE SET position = excluded.position WHERE c.position < excluded.position`;
}

/** When the group took its first batch, which is this one where there was none, in epoch milliseconds. */
export async function groupStart(tx: AnySql, groupId: string): Promise<number> {
  await tx`INSERT INTO consumer_groups (group_id) VALUES (${groupId}) ON CONFLICT DO NOTHING`;
  const [row] = await tx<[{ started: number }]>`
    SELECT (extract(epoch FROM g.started_at) * 1000)::float8 AS started FROM consumer_groups g WHERE g.group_id = ${groupId}`;
  return row.started;
}
