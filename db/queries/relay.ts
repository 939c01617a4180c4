import type postgres from 'postgres';
import { LOG_START, type LogCursor, type LogShard } from './event-log.ts';

type AnySql = postgres.ISql;

/** Advisory lock classes of the fleet: the first of Postgres' two 32-bit keys. */
const RELAY_LOCK = 0x636f6c01;
const GROUP_LOCK = 0x636f6c02;

/** Who may hold an advisory lock: the one relay of a shard, the one reader of the event log for a group. */
export type Role = { readonly relayOfShard: number } | { readonly readerForGroup: string };

/**
 * Tries to take a role for the session of `sql`, which keeps it while it lives. Returns the session's backend, or null if another holds the
 * role. A session that then is silent for 5 s, or does not take what it is sent for 10 s, is ended by the server, so that a frozen process
 * or a half-open connection does not hold a role: the holder has to ask for something every second. Its statements use generic plans: those walk indexes, while plans for the values at hand sorted 200,000 rows for each page of them (25 times
 * slower, 2026-11-23, PostgreSQL 18 before its first ANALYZE of the day's partition).
 */
export async function tryRole(sql: AnySql, role: Role): Promise<number | null> {
  const [lock, id] = 'relayOfShard' in role ? [RELAY_LOCK, String(role.relayOfShard)] : [GROUP_LOCK, role.readerForGroup];
  const [row] = await sql<[{ locked: boolean; backend: number }]>`
    SELECT pg_try_advisory_lock(${lock}, hashtext(${id})) AS locked, pg_backend_pid() AS backend,
      set_config('idle_session_timeout', '5s', false), set_config('tcp_user_timeout', '10s', false), set_config('plan_cache_mode', 'force_generic_plan', false)`;
  return row.locked ? row.backend : null;
}

/** The backend that serves this session: another one than before means that the session, and its locks, were lost. */
export async function readBackend(sql: AnySql): Promise<number> {
  const [row] = await sql<[{ backend: number }]>`SELECT pg_backend_pid() AS backend`;
  return row.backend;
}

/** Which session holds each of the roles, by its application name; null: nobody does. */
export async function readRoleHolders(sql: AnySql, roles: readonly Role[]): Promise<(string | null)[]> {
  const locks = roles.map((role) => ('relayOfShard' in role ? { lock: RELAY_LOCK, id: String(role.relayOfShard) } : { lock: GROUP_LOCK, id: role.readerForGroup }));
  const rows = await sql<{ holder: string | null }[]>`
    SELECT (SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND l.classid = (r.value ->> 'lock')::oid AND l.objid = hashtext(r.value ->> 'id')::oid AND l.objsubid = 2 LIMIT 1) AS holder
    FROM json_array_elements(${JSON.stringify(locks)}::text::json) WITH ORDINALITY AS r (value, place) ORDER BY r.place`;
  return rows.map(({ holder }) => holder);
}

/** Each shard that was ever led. `storedAt`: when its place was stored last, in milliseconds since 1970. */
export async function readRelayShards(sql: AnySql): Promise<{ shard: number; fence: string; storedAt: number }[]> {
  return sql<{ shard: number; fence: string; storedAt: number }[]>`
    SELECT r.shard, r.fence::text AS fence, (extract(epoch FROM r.updated_at) * 1000)::float8 AS "storedAt" FROM relay_states r ORDER BY r.shard`;
}

/** A term of leadership: what is saved under an older fence, or by another session, is refused. */
export interface RelayTerm {
  readonly shard: number;
  readonly fence: string;
  readonly backend: number;
}

/**
 * Begins a term: fences off every earlier leader and returns where the shard stands. Null: the relay is laid out in another number of shards,
 * and nobody may lead this one.
 */
export async function takeOverRelay(sql: AnySql, { shard, shards }: LogShard): Promise<{ term: RelayTerm; cursor: LogCursor } | null> {
  const [row] = await sql<(LogCursor & { fence: string; backend: number })[]>`
    INSERT INTO relay_states AS r (shard, shards, fence, base, base_taken_at)
    SELECT ${shard}::integer, ${shards}::integer, 1, ${LOG_START.base}::pg_snapshot, ${LOG_START.baseTakenAt}::timestamptz
    WHERE NOT EXISTS (SELECT FROM relay_states o WHERE o.shards <> ${shards}::integer)
    ON CONFLICT (shard) DO UPDATE SET fence = r.fence + 1, updated_at = now()
    RETURNING r.fence::text AS fence, pg_backend_pid() AS backend, r.base::text AS base, r.base_taken_at::text AS "baseTakenAt",
      r.target::text AS target, r.target_taken_at::text AS "targetTakenAt", r.after_position::float8 AS after`;
  if (row === undefined) return null;
  const { fence, backend, ...cursor } = row;
  return { term: { shard, fence, backend }, cursor };
}

/** Stores how far the shard is sent. False: the term is over: another leader began one, the shards were laid out anew, or the session with the lock is gone. */
export async function saveRelayCursor(sql: AnySql, term: RelayTerm, cursor: LogCursor): Promise<boolean> {
  const saved = await sql`
    UPDATE relay_states SET base = ${cursor.base}::pg_snapshot, base_taken_at = ${cursor.baseTakenAt}::timestamptz,
      target = ${cursor.target}::pg_snapshot, target_taken_at = ${cursor.targetTakenAt}::timestamptz,
      after_position = ${cursor.after}::bigint, updated_at = now()
    WHERE shard = ${term.shard} AND fence = ${term.fence}::bigint AND pg_backend_pid() = ${term.backend}`;
  return saved.count === 1;
}
