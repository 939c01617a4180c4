import type postgres from 'postgres';
import type { FileStatus, Thumbnail } from '../../protocol/files.ts';
import { ceType, type Topic } from '../../protocol/topics.ts';

/** What a scan found out. */
export interface FileFinding {
  readonly fileId: string;
  readonly status: FileStatus;
  readonly thumbnails: readonly Thumbnail[];
  /** Of the event that tells of it. */
  readonly eventId: string;
  readonly now: Date;
}

const TOPIC: Topic = 'file.events';

/**
 * Gives a file its status and thumbnails and appends `file.updated`, in one statement. Whether anything changed: repeated, or once the file is
 * deleted, it does nothing.
 */
export async function updateFile(sql: postgres.ISql, { fileId, status, thumbnails, eventId, now }: FileFinding): Promise<boolean> {
  const at = now.toISOString();
  const rows = await sql<{ id: string }[]>`
    WITH changed AS (
      UPDATE files f SET status = ${status}, thumbnails = ${JSON.stringify(thumbnails)}::text::jsonb, version = f.version + 1
      WHERE f.id = ${fileId} AND f.deleted_at IS NULL AND (f.status, f.thumbnails) IS DISTINCT FROM (${status}, ${JSON.stringify(thumbnails)}::text::jsonb)
      RETURNING f.*
    )
    INSERT INTO event_log (topic, key, event_id, type, data)
    SELECT ${TOPIC}, f.id, ${eventId}, ${ceType('file.updated')}, jsonb_build_object(
      'type', 'file.updated', 'id', ${eventId}::text, 'at', ${at}::text, 'actor_id', f.uploader_id, 'version', f.version, 'file', jsonb_build_object(
        'id', f.id, 'channel_id', f.channel_id, 'uploader_id', f.uploader_id, 'name', f.name, 'media_type', f.media_type, 'size', f.size, 'sha256', f.sha256,
        'status', f.status, 'thumbnails', f.thumbnails, 'created_at', to_char(f.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))
    FROM changed f RETURNING key AS id`;
  return rows.length === 1;
}
