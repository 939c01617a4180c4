import type postgres from 'postgres';
import type { Topic } from '../../protocol/topics.ts';

type AnySql = postgres.ISql;

/**
 * A place in the event log. Rows visible to the snapshot `base` lie behind it. While `target` is set, so do those of
 * (`base`, `target`) up to the position `after`; without a target `after` is 0.
 *
 * A plain `position > after` would lose rows that commit late, and waiting for the oldest open transaction would let one
 * transaction hold up all. Rows of one key carry positions in commit order, so ordering each difference by position keeps a key's order.
 */
export interface LogCursor {
  readonly base: string;
  /** When `base` was taken: older partitions hold nothing it misses, as no transaction runs for a day. */
  readonly baseTakenAt: string;
  readonly target: string | null;
  readonly targetTakenAt: string | null;
  readonly after: number;
}

/** Before the first row. */
export const LOG_START: LogCursor = { base: '3:3:', baseTakenAt: '1970-01-01T00:00:00Z', target: null, targetTakenAt: null, after: 0 };

/** The rows between a cursor and a target: `first` and `last` are positions, null where there are none. */
export interface LogWindow {
  readonly target: string;
  readonly targetTakenAt: string;
  readonly first: number | null;
  readonly last: number | null;
  readonly count: number;
}

/** The keys of one shard of so many: those whose last 16 bits, divided by `shards`, leave `shard`. Colink's keys are random there. */
export interface LogShard {
  readonly shard: number;
  readonly shards: number;
}

export const ALL_KEYS: LogShard = { shard: 0, shards: 1 };

export interface LogRow {
  readonly position: number;
  readonly topic: Topic;
  readonly key: string;
  readonly eventId: string;
  readonly type: string;
  readonly channelSeq: string | null;
  /** The event as JSON text. */
  readonly data: string;
  readonly traceparent: string | null;
  /** RFC 3339, milliseconds. */
  readonly at: string;
}

/** A condition on `e.key` for a WHERE clause; none where all keys are meant, so that their plans stay what they are. */
function andOfShard(sql: AnySql, { shard, shards }: LogShard): postgres.PendingQuery<postgres.Row[]> {
  if (shards === 1) return sql``;
  return sql`AND (get_byte(uuid_send(e.key), 14) * 256 + get_byte(uuid_send(e.key), 15)) % ${shards}::integer = ${shard}::integer`;
}

/**
 * What was logged before cannot be behind the cursor: rows of transactions that ran when `base` was taken. Where Postgres' clock was set back since, as a
 * failover to another machine may do, the time of now is the earlier one.
 */
function sinceOf(sql: AnySql, { baseTakenAt }: LogCursor): postgres.PendingQuery<postgres.Row[]> {
  return sql`least(${baseTakenAt}::timestamptz, now()) - interval '1 day'`;
}

/**
 * Surveys what lies between `cursor` and its target, or a target taken now. `topic` null: all topics. What `base` does not see began
 * after it or was open then; asking for the two apart keeps the cost to the new rows, however long some transaction stays open.
 */
export async function surveyLog(sql: AnySql, cursor: LogCursor, topic: Topic | null, keys: LogShard = ALL_KEYS): Promise<LogWindow> {
  const isWanted = sql`pg_visible_in_snapshot(e.xid, t.target) AND e.position > ${cursor.after}::bigint
    AND e.logged_at > ${sinceOf(sql, cursor)} AND (${topic}::text IS NULL OR e.topic = ${topic}::text) ${andOfShard(sql, keys)}`;
  const [window] = await sql<[LogWindow]>`
    SELECT t.target::text AS target, t.taken_at::text AS "targetTakenAt", w.first::float8 AS first, w.last::float8 AS last,
      w.count::float8 AS count
    FROM (SELECT coalesce(${cursor.target}::pg_snapshot, pg_current_snapshot()) AS target,
        coalesce(${cursor.targetTakenAt}::timestamptz, now()) AS taken_at) t
    CROSS JOIN LATERAL (
      SELECT min(r.position) AS first, max(r.position) AS last, count(*) AS count FROM (
        SELECT e.position FROM event_log e
        WHERE e.xid >= pg_snapshot_xmax(${cursor.base}::pg_snapshot) AND e.xid < pg_snapshot_xmax(t.target) AND ${isWanted}
        UNION ALL
        SELECT e.position FROM event_log e WHERE e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(${cursor.base}::pg_snapshot))) AND ${isWanted}
      ) r
    ) w`;
  return window;
}

/**
 * Reads at most `limit` rows of a window in position order: those after `cursor.after` up to `window.last`. There is no condition on
 * the range of `xid`, so that the planner walks the key's index instead of sorting the whole window for each page.
 */
export async function readLogPage(
  sql: AnySql, cursor: LogCursor, window: LogWindow, limit: number, topic: Topic | null, keys: LogShard = ALL_KEYS,
): Promise<LogRow[]> {
  const after = Math.max(cursor.after, (window.first ?? 1) - 1);
  return sql<LogRow[]>`
    SELECT e.position::float8 AS position, e.topic, e.key::text AS key, e.event_id::text AS "eventId", e.type,
      e.channel_seq::text AS "channelSeq", e.data::text AS data, e.traceparent,
      to_char(e.logged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
    FROM event_log e
    WHERE e.position > ${after}::bigint AND e.position <= ${window.last}::bigint
      AND e.logged_at > ${sinceOf(sql, cursor)}
      AND pg_visible_in_snapshot(e.xid, ${window.target}::pg_snapshot) AND NOT pg_visible_in_snapshot(e.xid, ${cursor.base}::pg_snapshot)
      AND (${topic}::text IS NULL OR e.topic = ${topic}::text) ${andOfShard(sql, keys)}
    ORDER BY e.position LIMIT ${limit}`;
}

/**
 * When the first transaction behind a cursor began, in milliseconds since 1970; null: nothing is behind it. Walks one index to its first hit,
 * so it stays cheap however long the backlog; transactions that overlap may hide one that began up to a day (the longest run) earlier.
 */
export async function readOldestBehind(sql: AnySql, cursor: LogCursor, keys: LogShard = ALL_KEYS): Promise<number | null> {
  const isBehind = sql`(${cursor.target}::pg_snapshot IS NULL OR NOT pg_visible_in_snapshot(e.xid, ${cursor.target}::pg_snapshot)
      OR e.position > ${cursor.after}::bigint) AND e.logged_at > ${sinceOf(sql, cursor)} ${andOfShard(sql, keys)}`;
  const [row] = await sql<[{ at: number | null }]>`
    SELECT (extract(epoch FROM least(
      (SELECT e.logged_at FROM event_log e WHERE e.xid >= pg_snapshot_xmax(${cursor.base}::pg_snapshot) AND ${isBehind}
        ORDER BY e.xid, e.position LIMIT 1),
      (SELECT min(e.logged_at) FROM event_log e WHERE e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(${cursor.base}::pg_snapshot))) AND ${isBehind})
    )) * 1000)::float8 AS at`;
  return row.at;
}
