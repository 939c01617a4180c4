import type postgres from 'postgres';
import type { FileStatus, Thumbnail } from '../../protocol/files.ts';
import type { ScanState } from '../schema/file-tables.ts';

type AnySql = postgres.ISql;

/** Has files scanned. Those that are scanned, wait for it or are refused stay so, and deleted ones are left alone: to be repeated at will. */
export async function requestScans(tx: AnySql, fileIds: readonly string[]): Promise<void> {
  if (fileIds.length === 0) return;
  await tx`
    INSERT INTO file_scans (file_id) SELECT f.id FROM files f
    WHERE f.deleted_at IS NULL AND f.id IN (SELECT w.id::uuid FROM json_array_elements_text(${JSON.stringify(fileIds)}::text::json) AS w (id))
    ORDER BY f.id ON CONFLICT (file_id) DO NOTHING`;
}

/** What is deleted need not be scanned any more. A verdict stays. */
export async function withdrawScans(tx: AnySql, fileIds: readonly string[]): Promise<void> {
  if (fileIds.length === 0) return;
  await tx`
    DELETE FROM file_scans s WHERE s.state IN ('waiting', 'refused')
      AND s.file_id IN (SELECT w.id::uuid FROM json_array_elements_text(${JSON.stringify(fileIds)}::text::json) AS w (id))`;
}

/** A file that is to be scanned now, and by whom: whoever has its lease. */
export interface ScanJob {
  readonly fileId: string;
  readonly lease: string;
  /** Failed tries so far; one whose lease ran out, because its process died, counts among them. */
  readonly attempts: number;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  readonly sha256: string;
  readonly status: FileStatus;
  readonly thumbnails: readonly Thumbnail[];
}

/** Takes a file that is due, for `leaseMs` at most; null where none is. New files come before those that are scanned again. */
export async function claimScan(sql: AnySql, lease: string, leaseMs: number): Promise<ScanJob | null> {
  const [job] = await sql<ScanJob[]>`
    UPDATE file_scans s SET lease = ${lease}, due_at = now() + ${leaseMs}::float8 * interval '1 millisecond',
      attempts = s.attempts + (s.lease IS NOT NULL)::integer
    FROM (
      SELECT w.file_id FROM file_scans w WHERE w.state = 'waiting' AND w.due_at <= now()
        AND EXISTS (SELECT FROM files e WHERE e.id = w.file_id AND e.deleted_at IS NULL)
      ORDER BY w.is_again, w.due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) due JOIN files f ON f.id = due.file_id
    WHERE s.file_id = due.file_id
    RETURNING s.file_id AS "fileId", s.lease, s.attempts, f.size::float8 AS size, f.media_type AS "mediaType", f.sha256, f.status, f.thumbnails`;
  return job ?? null;
}

type Held = Pick<ScanJob, 'fileId' | 'lease'>;

/** Whether the file is still this holder's, for `leaseMs` more. */
export async function renewScan(sql: AnySql, { fileId, lease }: Held, leaseMs: number): Promise<boolean> {
  const { count } = await sql`
    UPDATE file_scans s SET due_at = now() + ${leaseMs}::float8 * interval '1 millisecond' WHERE s.file_id = ${fileId} AND s.lease = ${lease}`;
  return count === 1;
}

/** `signature`: of what was found; null where nothing was. Whether the verdict is this holder's to give. */
export async function settleScan(tx: AnySql, { fileId, lease }: Held, state: 'clean' | 'infected', signature: string | null): Promise<boolean> {
  const { count } = await tx`
    UPDATE file_scans s SET state = ${state}, signature = ${signature}, scanned_at = now(), lease = NULL, attempts = 0, failure = NULL, is_again = false
    WHERE s.file_id = ${fileId} AND s.lease = ${lease}`;
  return count === 1;
}

export interface FailedScan {
  /** `refused`: not to be tried again. */
  readonly state: 'waiting' | 'refused';
  readonly attempts: number;
  readonly failure: string | null;
  readonly retryInMs: number;
}

/** Gives a file back, to be tried again or not. Nothing where it is another's by now. */
export async function returnScan(sql: AnySql, { fileId, lease }: Held, { state, attempts, failure, retryInMs }: FailedScan): Promise<void> {
  await sql`
    UPDATE file_scans s SET state = ${state}, attempts = ${attempts}, failure = ${failure}, lease = NULL,
      due_at = now() + ${retryInMs}::float8 * interval '1 millisecond'
    WHERE s.file_id = ${fileId} AND s.lease = ${lease}`;
}

export interface Rescan {
  /** Those uploaded since, RFC 3339; null: however old. */
  readonly since: string | null;
  /** Those alone that are refused, or wait with no scan requested, such as files from before the scanner. */
  readonly onlyUnscanned: boolean;
  /** This one alone; null: all. */
  readonly fileId: string | null;
}

/** Has files scanned again, whatever was found before; a scan that runs is begun anew. Until its new verdict a file stays what it is. How many. */
export async function requestRescans(sql: AnySql, { since, onlyUnscanned, fileId }: Rescan): Promise<number> {
  const { count } = await sql`
    INSERT INTO file_scans AS s (file_id, is_again)
    SELECT f.id, f.status <> 'pending_scan' FROM files f LEFT JOIN file_scans o ON o.file_id = f.id
    WHERE f.deleted_at IS NULL AND (${since}::timestamptz IS NULL OR f.created_at >= ${since}::timestamptz) AND (${fileId}::uuid IS NULL OR f.id = ${fileId}::uuid)
      AND (NOT ${onlyUnscanned}::boolean OR o.file_id IS NULL OR o.state = 'refused')
    ORDER BY f.id
    ON CONFLICT (file_id) DO UPDATE
      SET state = 'waiting', is_again = excluded.is_again, requested_at = now(), due_at = now(), lease = NULL, attempts = 0, failure = NULL`;
  return count;
}

/** A scan as administrators see it. Times are RFC 3339. */
export interface ScanRow {
  readonly fileId: string;
  readonly state: ScanState;
  readonly channelId: string;
  readonly uploaderId: string;
  readonly name: string;
  readonly size: number;
  readonly signature: string | null;
  readonly failure: string | null;
  readonly attempts: number;
  readonly requestedAt: string;
  readonly scannedAt: string | null;
}

/** Scans in a state, those of the newest files first. */
export async function listScans(sql: AnySql, state: ScanState, limit: number): Promise<ScanRow[]> {
  return sql<ScanRow[]>`
    SELECT s.file_id AS "fileId", s.state, f.channel_id AS "channelId", f.uploader_id AS "uploaderId", f.name, f.size::float8 AS size, s.signature, s.failure,
      s.attempts, to_json(s.requested_at) #>> '{}' AS "requestedAt", to_json(s.scanned_at) #>> '{}' AS "scannedAt"
    FROM file_scans s JOIN files f ON f.id = s.file_id WHERE s.state = ${state} ORDER BY s.file_id DESC LIMIT ${limit}`;
}

export interface ScanBacklog {
  readonly waiting: number;
  readonly refused: number;
  /** Seconds that the file has waited that waits longest; 0: none does. */
  readonly oldestSeconds: number;
}

/** Of files that are not deleted. */
export async function countScans(sql: AnySql): Promise<ScanBacklog> {
  const [backlog] = await sql<[ScanBacklog]>`
    SELECT count(*) FILTER (WHERE s.state = 'waiting')::integer AS waiting, count(*) FILTER (WHERE s.state = 'refused')::integer AS refused,
      coalesce(extract(epoch FROM now() - min(s.requested_at) FILTER (WHERE s.state = 'waiting')), 0)::float8 AS "oldestSeconds"
    FROM file_scans s JOIN files f ON f.id = s.file_id AND f.deleted_at IS NULL WHERE s.state IN ('waiting', 'refused')`;
  return backlog;
}
