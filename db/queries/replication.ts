import type { Sql } from '../client.ts';

/** A place in the write-ahead log, in bytes from its beginning. */
export type WalPosition = bigint;

/** How far a replica has come. */
export interface ReplayState {
  /** It shows all that was committed before this place. */
  readonly position: WalPosition;
  /** Milliseconds since the commit of the last transaction it has replayed, by its own clock; null before the first. */
  readonly lastCommitAge: number | null;
}

/** On the primary: a place behind everything that has been committed. */
export async function findWritePosition(sql: Sql): Promise<WalPosition> {
  const [row] = await sql<[{ position: string }]>`SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS position`;
  return BigInt(row.position);
}

/**
 * Null: this server is no replica, or no longer one. It is sent at once, before whatever is asked on the same connection after this call: what that
 * reads is then at least as recent.
 */
export async function findReplayState(sql: Sql): Promise<ReplayState | null> {
  const asked = sql<[{ position: string | null; age: number | null }]>`
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::text END AS position,
      (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::float8 AS age`.execute();
  const [{ position, age }] = await asked;
  return position === null ? null : { position: BigInt(position), lastCommitAge: age };
}
