import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { MemberRole } from '../../protocol/events.ts';
import type { FileState } from '../../protocol/files.ts';
import type { Queryable, Transaction } from '../client.ts';
import { callerRow, refuseReader, standingColumns, standingTables, type Standing } from './access.ts';
import { recordAct } from './audit.ts';
import { writeAvatar } from './avatar-writing.ts';
import { appendFileEvent, fileColumns, type FileRow, toFile } from './file-rows.ts';
import { releaseBytes } from './file-usage.ts';

/** Who asks for a file, and what they are in its channel; without `id` there is no such file. */
type FoundRow = Partial<FileRow> & {
  readonly me: string;
  readonly user_role: User['role'];
  readonly my_role: MemberRole | null;
  readonly version: number;
  readonly [column: string]: unknown;
};

async function find(db: Queryable, credentialId: string, fileId: string): Promise<FoundRow | undefined> {
  const [row] = await db.execute<FoundRow>(sql`
    SELECT me.id AS me, me.role AS user_role, mine.role AS my_role, f.version, ${fileColumns}
    FROM (${callerRow(credentialId)}) me
    LEFT JOIN files f ON f.id = ${fileId} AND f.deleted_at IS NULL
    LEFT JOIN members mine ON mine.channel_id = f.channel_id AND mine.user_id = me.id`);
  return row;
}

const isFile = (row: FoundRow): row is FoundRow & FileRow => row.id != null;
const mayRead = (row: FoundRow): boolean => row.my_role !== null || row.uploader_id === row.me;

/** A file, for its uploader and the members of its channel; for all others there is none. */
export async function findFile(db: Queryable, credentialId: string, fileId: string): Promise<Outcome<FileState>> {
  const row = await find(db, credentialId, fileId);
  if (!row) return { problem: { code: 'unauthenticated' } };
  return isFile(row) && mayRead(row) ? { ok: toFile(row) } : { problem: { code: 'not_found' } };
}

/** The files of a channel, the newest first, for its members. `before`: an id; null: from the newest. */
export async function listFiles(
  db: Queryable, credentialId: string, channelId: string, { before, limit }: { readonly before: string | null; readonly limit: number },
): Promise<Outcome<FileState[]>> {
  const rows = await db.execute<Standing & Partial<FileRow> & { [column: string]: unknown }>(sql`
    WITH s AS (SELECT ${standingColumns} FROM ${standingTables(credentialId, channelId)})
    SELECT s.*, p.* FROM s LEFT JOIN LATERAL (
      SELECT ${fileColumns} FROM files f
      WHERE s.my_role IS NOT NULL AND f.channel_id = ${channelId} AND f.deleted_at IS NULL AND (${before}::uuid IS NULL OR f.id < ${before}::uuid)
      ORDER BY f.id DESC LIMIT ${limit}
    ) p ON true ORDER BY p.id DESC`);
  const problem = refuseReader(rows[0]);
  if (problem) return { problem };
  return { ok: rows.flatMap((row) => (row.id == null ? [] : [toFile(row as FileRow)])) };
}

/** Of the files that an author names in a channel, those that are their own, there, and not deleted. */
export async function findOwnFiles(db: Queryable, credentialId: string, channelId: string, fileIds: readonly string[]): Promise<Set<string>> {
  const rows = await db.execute<{ id: string }>(sql`
    SELECT f.id FROM (${callerRow(credentialId)}) me
    JOIN files f ON f.uploader_id = me.id AND f.channel_id = ${channelId} AND f.deleted_at IS NULL
    WHERE f.id IN (SELECT w.id::uuid FROM json_array_elements_text(${JSON.stringify(fileIds)}::text::json) AS w (id))`);
  return new Set(rows.map(({ id }) => id));
}

export interface DeletionRequest {
  readonly credentialId: string;
  readonly fileId: string;
  /** Of the event that tells of it. */
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** Takes a file from everybody, with `file.deleted`: for its uploader, owners and admins of its channel, and administrators, who need not be members. Who has it as their picture has none. */
export async function deleteFile(tx: Transaction, request: DeletionRequest): Promise<Outcome<FileState>> {
  // Read after the lock, in a statement of its own: it then sees what the lock's last holder committed.
  await tx.execute(sql`SELECT id FROM files WHERE id = ${request.fileId} FOR UPDATE`);
  const row = await find(tx, request.credentialId, request.fileId);
  if (!row) return { problem: { code: 'unauthenticated' } };
  if (!isFile(row) || !(mayRead(row) || row.user_role === 'admin')) return { problem: { code: 'not_found' } };
  if (!mayDelete(row)) return { problem: { code: 'forbidden', detail: 'this is for who uploaded it, and for admins' } };
  const file = toFile(row);
  const { eventId: id, now, traceparent } = request;
  const version = row.version + 1;
  await tx.execute(sql`UPDATE files SET deleted_at = ${now.toISOString()}::timestamptz, version = ${version} WHERE id = ${file.id}`);
  await releaseBytes(tx, file.uploader_id, file.size);
  await writeAvatar(tx, { userId: file.uploader_id, actorId: row.me, eventId: uuidv7(), now, traceparent }, null, file.id);
  await appendFileEvent(tx, { type: 'file.deleted', id, at: now.toISOString(), actor_id: row.me, version, file }, traceparent);
  if (file.uploader_id !== row.me) await recordAct(tx, { act: 'file.removed', target: ['file', file.id], details: { channel_id: file.channel_id, uploader_id: file.uploader_id } });
  return { ok: file };
}

const mayDelete = (row: FoundRow): boolean =>
  row.uploader_id === row.me || row.my_role === 'owner' || row.my_role === 'admin' || row.user_role === 'admin';
