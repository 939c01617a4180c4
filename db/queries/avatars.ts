import { sql } from 'drizzle-orm';
import type { Profile } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { FileState } from '../../protocol/files.ts';
import type { Queryable, Transaction } from '../client.ts';
import { callerRow } from './access.ts';
import { recordAct } from './audit.ts';
import { type AvatarChange, writeAvatar } from './avatar-writing.ts';
import { lockForAdmin, type UserRequest } from './deactivation.ts';
import { fileColumns, type FileRow, toFile } from './file-rows.ts';
import { findMyProfile, isSeenBy } from './users.ts';

type OwnRequest = Omit<AvatarChange, 'actorId'> & { readonly credentialId: string };
type Row<T> = T & { readonly [column: string]: unknown };

/** Of the scan of a file that has just come, in seconds. */
const SCAN_SECONDS = 2;

/**
 * A file that the caller has uploaded becomes their picture; where it is that already nothing changes. `not_found` for what is not theirs, `file_not_clean` and `file_infected` as
 * its content, `invalid` where there is no thumbnail of it. It is not copied: one is shown as long as the file is there.
 */
export async function setAvatar(tx: Transaction, { credentialId, ...change }: OwnRequest, fileId: string): Promise<Outcome<Profile>> {
  // Held until the end, and before the user's row, in the order of a deletion: that either comes first, or finds the picture to clear.
  const [file] = await tx.execute<Row<FileRow>>(sql`
    SELECT ${fileColumns} FROM files f WHERE f.id = ${fileId} AND f.uploader_id = ${change.userId} AND f.deleted_at IS NULL FOR SHARE`);
  const problem = refuseFile(file);
  if (!problem) await writeAvatar(tx, { ...change, actorId: change.userId }, fileId);
  const me = await findMyProfile(tx, credentialId);
  return 'problem' in me || !problem ? me : { problem };
}

function refuseFile(file: FileRow | undefined): Problem | null {
  if (!file) return { code: 'not_found', detail: 'there is no such file of yours' };
  if (file.status === 'pending_scan') return { code: 'file_not_clean', retry_after: SCAN_SECONDS };
  if (file.status === 'infected') return { code: 'file_infected' };
  if (file.thumbnails.length > 0) return null;
  const detail = file.media_type.startsWith('image/') ? 'is an image of which no thumbnail can be made: it is too large, broken, or not JPEG, PNG, WebP, GIF or AVIF' : 'is not an image';
  return { code: 'invalid', errors: [{ pointer: '/file_id', detail }] };
}

/** Takes the caller's own picture away. Its file stays. */
export async function removeAvatar(tx: Transaction, { credentialId, ...change }: OwnRequest): Promise<Outcome<boolean>> {
  const me = await findMyProfile(tx, credentialId);
  return 'problem' in me ? me : { ok: await writeAvatar(tx, { ...change, actorId: change.userId }, null) };
}

/** An administrator takes a user's picture away. Its file stays: it may be what a message shows, and is deleted as any other. */
export async function removeAvatarOf(tx: Transaction, request: UserRequest): Promise<Outcome<boolean>> {
  const found = await lockForAdmin(tx, request);
  if ('problem' in found) return found;
  const { userId, actorId, credentialId } = request;
  const isRemoved = await writeAvatar(tx, request, null);
  if (isRemoved) await recordAct(tx, { act: 'user.avatar_removed', target: ['user', userId], details: { file_id: found.ok.avatar?.file_id ?? null } }, { actorId, credentialId });
  return { ok: isRemoved };
}

/** The file that is a user's picture, for whoever may know of them: clean at this moment. For all others, and where there is none, `not_found`. */
export async function findAvatar(db: Queryable, credentialId: string, userId: string): Promise<Outcome<FileState>> {
  const [row] = await db.execute<Row<Partial<FileRow>>>(sql`
    SELECT ${fileColumns} FROM (${callerRow(credentialId)}) me
    LEFT JOIN users u ON u.id = ${userId} AND ${isSeenBy(sql`me`, sql`u.id`)}
    LEFT JOIN files f ON f.id = u.avatar_file_id AND f.status = 'clean' AND f.deleted_at IS NULL`);
  if (!row) return { problem: { code: 'unauthenticated' } };
  return hasFile(row) ? { ok: toFile(row) } : { problem: { code: 'not_found' } };
}

const hasFile = (row: Partial<FileRow>): row is FileRow => row.id != null;
