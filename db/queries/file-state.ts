import type postgres from 'postgres';
import type { FileStatus, Thumbnail } from '../../protocol/files.ts';
import { ceType, type Topic } from '../../protocol/topics.ts';
import { EVERYBODY } from './file-usage.ts';

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
const PEOPLE: Topic = 'user.events';

/** Of the row `f`, as events carry it. */
const wholeState = (sql: postgres.ISql) => sql`jsonb_build_object(
  'id', f.id, 'channel_id', f.channel_id, 'uploader_id', f.uploader_id, 'name', f.name, 'media_type', f.media_type, 'size', f.size, 'sha256', f.sha256,
  'status', f.status, 'thumbnails', f.thumbnails, 'created_at', to_char(f.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`;

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
      'type', 'file.updated', 'id', ${eventId}::text, 'at', ${at}::text, 'actor_id', f.uploader_id, 'version', f.version, 'file', ${wholeState(sql)})
    FROM changed f RETURNING key AS id`;
  return rows.length === 1;
}

export interface FilesDeletion {
  readonly userId: string;
  readonly actorId: string;
  readonly now: Date;
  /** At most so many; ids of their events. */
  readonly eventIds: readonly string[];
  /** Of the event that the user's picture was one of them. */
  readonly avatarEventId: string;
}

/** Takes files of a user from everybody, each with `file.deleted`, and gives back what they count; is their picture one of them, they have none. How many: fewer than there are ids says that none is left. */
export async function deleteFilesOf(sql: postgres.ISql, { userId, actorId, now, eventIds, avatarEventId }: FilesDeletion): Promise<number> {
  const at = now.toISOString();
  const rows = await sql<{ deleted: number }[]>`
    WITH chosen AS (
      SELECT f.id, (row_number() OVER (ORDER BY f.id))::integer AS n FROM (
        SELECT l.id FROM files l WHERE l.uploader_id = ${userId} AND l.deleted_at IS NULL ORDER BY l.id LIMIT ${eventIds.length}::integer FOR UPDATE
      ) f
    ), named AS (
      SELECT c.id, e.event_id::uuid AS event_id FROM chosen c
      JOIN json_array_elements_text(${JSON.stringify(eventIds)}::text::json) WITH ORDINALITY AS e (event_id, n) ON e.n = c.n
    ), changed AS (
      UPDATE files f SET deleted_at = ${at}::timestamptz, version = f.version + 1 FROM named n WHERE n.id = f.id RETURNING f.*, n.event_id
    ), told AS (
      INSERT INTO event_log (topic, key, event_id, type, data)
      SELECT ${TOPIC}, f.id, f.event_id, ${ceType('file.deleted')}, jsonb_build_object(
        'type', 'file.deleted', 'id', f.event_id, 'at', ${at}::text, 'actor_id', ${actorId}::text, 'version', f.version, 'file', ${wholeState(sql)})
      FROM changed f
    ), own AS (
      UPDATE file_usage u SET bytes = u.bytes - s.bytes FROM (SELECT sum(f.size) AS bytes FROM changed f) s WHERE u.user_id = ${userId} AND s.bytes IS NOT NULL RETURNING s.bytes
    ), everybodys AS (
      UPDATE file_usage u SET bytes = u.bytes - o.bytes FROM own o WHERE u.user_id = ${EVERYBODY}
    ), unpictured AS (
      UPDATE users u SET avatar_file_id = NULL, version = u.version + 1 FROM changed f WHERE u.id = ${userId} AND u.avatar_file_id = f.id RETURNING u.*
    ), shown AS (
      INSERT INTO event_log (topic, key, event_id, type, data)
      SELECT ${PEOPLE}, u.id, ${avatarEventId}, ${ceType('user.updated')}, jsonb_build_object(
        'type', 'user.updated', 'id', ${avatarEventId}::text, 'at', ${at}::text, 'actor_id', ${actorId}::text, 'version', u.version,
        'user', jsonb_build_object('id', u.id, 'handle', u.handle, 'display_name', u.display_name, 'role', u.role))
      FROM unpictured u
    )
    SELECT count(*)::float8 AS deleted FROM changed`;
  return rows[0]?.deleted ?? 0;
}
