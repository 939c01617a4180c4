import type postgres from 'postgres';
import type { LogCursor } from './event-log.ts';
import { LOG_START } from './event-log.ts';

type AnySql = postgres.ISql;

/** Advisory lock classes of the fleet: the first of Postgres' two 32-bit keys. */
const RELAY_LOCK = 0x636f6c01;
const GROUP_LOCK = 0x636f6c02;

/** Who may hold an advisory lock: the one relay of a shard, the one reader of the event log for a group. */
export type Role = { readonly relayOfShard: number } | { readonly readerForGroup: string };

/**
 * Tries to take a role for the session of `sql`, which keeps it while it lives. Returns the session's backend, or null if another holds the
 * role. A session that then stays silent for a minute is ended by the server, so that a half-open connection does not hold a role. Its
 * statements use generic plans: those walk indexes, while plans for the values at hand sorted 200,000 rows for each page of them (25 times
 * slower, 2026-11-23, PostgreSQL 18 before its first ANALYZE of the day's partition).
 */
export async function tryRole(sql: AnySql, role: Role): Promise<number | null> {
  const [lock, id] = 'relayOfShard' in role ? [RELAY_LOCK, String(role.relayOfShard)] : [GROUP_LOCK, role.readerForGroup];
  const [row] = await sql<[{ locked: boolean; backend: number }]>`
    SELECT pg_try_advisory_lock(${lock}, hashtext(${id})) AS locked, pg_backend_pid() AS backend,
      set_config('idle_session_timeout', '60s', false), set_config('plan_cache_mode', 'force_generic_plan', false)`;
  return row.locked ? row.backend : null;
}

/** The backend that serves this session: another one than before means that the session, and its locks, were lost. */
export async function readBackend(sql: AnySql): Promise<number> {
  const [row] = await sql<[{ backend: number }]>`SELECT pg_backend_pid() AS backend`;
  return row.backend;
}

/** A term of leadership: what is saved under an older fence, or by another session, is refused. */
export interface RelayTerm {
  readonly shard: number;
  readonly fence: string;
  readonly backend: number;
}

/** Begins a term: fences off every earlier leader and returns where the shard stands. */
export async function takeOverRelay(sql: AnySql, shard: number): Promise<{ term: RelayTerm; cursor: LogCursor }> {
  const [row] = await sql<[LogCursor & { fence: string; backend: number }]>`
    INSERT INTO relay_states AS r (shard, fence, base, base_taken_at)
    VALUES (${shard}, 1, ${LOG_START.base}::pg_snapshot, ${LOG_START.baseTakenAt}::timestamptz)
    ON CONFLICT (shard) DO UPDATE SET fence = r.fence + 1, updated_at = now()
    RETURNING r.fence::text AS fence, pg_backend_pid() AS backend, r.base::text AS base, r.base_taken_at::text AS "baseTakenAt",
      r.target::text AS target, r.target_taken_at::text AS "targetTakenAt", r.after_position::float8 AS after`;
  const { fence, backend, ...cursor } = row;
  return { term: { shard, fence, backend }, cursor };
}

/** Stores how far the shard is sent. False: the term is over, because another leader began one or the session with the lock is gone. */
export async function saveRelayCursor(sql: AnySql, term: RelayTerm, cursor: LogCursor): Promise<boolean> {
  const saved = await sql`
    UPDATE relay_states SET base = ${cursor.base}::pg_snapshot, base_taken_at = ${cursor.baseTakenAt}::timestamptz,
      target = ${cursor.target}::pg_snapshot, target_taken_at = ${cursor.targetTakenAt}::timestamptz,
      after_position = ${cursor.after}::bigint, updated_at = now()
    WHERE shard = ${term.shard} AND fence = ${term.fence}::bigint AND pg_backend_pid() = ${term.backend}`;
  return saved.count === 1;
}

/** Where a shard stands, for metrics and maintenance; the start of the log if no relay ever ran. */
export async function readRelayCursor(sql: AnySql, shard: number): Promise<LogCursor> {
  const [cursor] = await sql<LogCursor[]>`
    SELECT r.base::text AS base, r.base_taken_at::text AS "baseTakenAt", r.target::text AS target,
      r.target_taken_at::text AS "targetTakenAt", r.after_position::float8 AS after
    FROM relay_states r WHERE r.shard = ${shard}`;
  return cursor ?? LOG_START;
}
