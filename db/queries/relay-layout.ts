import type postgres from 'postgres';
import { LOG_START, type LogCursor, type LogShard, readOldestBehind } from './event-log.ts';

/** Advisory lock class, beside those of `relay.ts`: held, shared, by each process that relays. */
const MEMBER_LOCK = 0x636f6c03;

/** Where one shard of the relay stands. */
export interface ShardState extends LogShard, LogCursor {
  readonly fence: string;
}

/**
 * Lays the relay out in `shards` shards; false: it is already. From here on every leader of the old layout is fenced off. Of a key, the new
 * shard begins where the hindmost old one stood, or before: some records come again, none is passed over.
 */
export async function layOutRelay(sql: postgres.Sql, shards: number): Promise<boolean> {
  return sql.begin(async (tx) => {
    await tx`LOCK TABLE relay_states IN SHARE ROW EXCLUSIVE MODE`;
    const states = await readShardStates(tx);
    if (states.length > 0 && states.every((state) => state.shards === shards)) return false;
    const { base, baseTakenAt, target, targetTakenAt, after } = hindmost(states);
    await tx`DELETE FROM relay_states`;
    await tx`
      INSERT INTO relay_states (shard, shards, fence, base, base_taken_at, target, target_taken_at, after_position)
      SELECT s.shard, ${shards}::integer, ${nextFence(states)}::bigint, ${base}::pg_snapshot, ${baseTakenAt}::timestamptz,
        ${target}::pg_snapshot, ${targetTakenAt}::timestamptz, ${after}::bigint
      FROM generate_series(0, ${shards}::integer - 1) AS s (shard)`;
    return true;
  });
}

/** Above every fence there was, so that no leader of the old layout can store its place in the new one. */
function nextFence(states: readonly ShardState[]): string {
  return String(states.reduce((highest, { fence }) => (BigInt(fence) > highest ? BigInt(fence) : highest), 0n) + 1n);
}

/** A cursor that no shard stands before. Shards that walk through the same window keep it; else the window of the hindmost is surveyed anew. */
export function hindmost(states: readonly ShardState[]): LogCursor {
  const [first, ...others] = states.toSorted((a, b) => compareSnapshots(a.base, b.base));
  // A shard without a row has not begun.
  if (first === undefined || states.length < first.shards) return LOG_START;
  const isShared = others.every(({ base, target }) => base === first.base && target === first.target);
  const { base, baseTakenAt, target, targetTakenAt } = first;
  if (!isShared) return { base, baseTakenAt, target: null, targetTakenAt: null, after: 0 };
  return { base, baseTakenAt, target, targetTakenAt, after: Math.min(...states.map(({ after }) => after)) };
}

/**
 * Negative: `a` was taken before `b`, and everything that it sees `b` sees too. Of one server's snapshots the later has the higher end, or as
 * high a one and fewer transactions that are still open.
 */
export function compareSnapshots(a: string, b: string): number {
  const [endOfA, endOfB] = [endOf(a), endOf(b)];
  if (endOfA !== endOfB) return endOfA < endOfB ? -1 : 1;
  return openIn(b) - openIn(a);
}

/** A snapshot is written `first open:end:open,open,…`. */
const endOf = (snapshot: string): bigint => BigInt(snapshot.split(':')[1] ?? '0');
const openIn = (snapshot: string): number => (snapshot.split(':')[2] ?? '').split(',').filter((xid) => xid !== '').length;

/** Where all shards stand that have begun. */
async function readShardStates(sql: postgres.ISql): Promise<ShardState[]> {
  return sql<ShardState[]>`
    SELECT r.shard, r.shards, r.fence::text AS fence, r.base::text AS base, r.base_taken_at::text AS "baseTakenAt", r.target::text AS target,
      r.target_taken_at::text AS "targetTakenAt", r.after_position::float8 AS after
    FROM relay_states r ORDER BY r.shard`;
}

/** When the oldest transaction began of which something is not relayed, in milliseconds since 1970; null: all is. */
export async function readOldestUnrelayed(sql: postgres.ISql): Promise<number | null> {
  const states = await readShardStates(sql);
  if (states.length < (states[0]?.shards ?? 1)) return readOldestBehind(sql, LOG_START);
  const oldest = await Promise.all(states.map((state) => readOldestBehind(sql, state, state)));
  return oldest.reduce((first, at) => (first === null || (at !== null && at < first) ? at : first), null);
}

/** A process among those that relay: `rank` from 0 to `processes` - 1, in an order that all see alike. */
export interface RelayMembership {
  readonly rank: number;
  readonly processes: number;
  /** Of the layout. */
  readonly shards: number;
}

/**
 * Counts the processes that relay, with this session's process among them while the session lives; null: it is just being replaced by another.
 * It must ask again within 5 s, or the server ends the session and the others go on without it. Whoever came first keeps its rank.
 */
export async function joinRelay(sql: postgres.ISql): Promise<RelayMembership | null> {
  await sql`
    SELECT pg_try_advisory_lock_shared(${MEMBER_LOCK}, 0), set_config('idle_session_timeout', '5s', false)
    WHERE NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = ${MEMBER_LOCK}::bigint::oid AND l.pid = pg_backend_pid())`;
  const [row] = await sql<RelayMembership[]>`
    SELECT m.rank::integer AS rank, m.processes::integer AS processes, coalesce((SELECT max(r.shards) FROM relay_states r), 1) AS shards
    FROM (
      SELECT l.pid, row_number() OVER (ORDER BY a.backend_start, l.pid) - 1 AS rank, count(*) OVER () AS processes
      FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() LEFT JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'advisory' AND l.classid = ${MEMBER_LOCK}::bigint::oid AND l.granted
    ) m WHERE m.pid = pg_backend_pid()`;
  return row ?? null;
}
