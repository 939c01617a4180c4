import { and, eq, isNull, lt, sql } from 'drizzle-orm';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { FileState } from '../../protocol/files.ts';
import type { Transaction } from '../client.ts';
import { files, fileUploads } from '../schema/file-tables.ts';
import { refuseReader, standingColumns, standingTables, type Standing } from './access.ts';
import { appendFileEvent, toFile } from './file-rows.ts';
import { type FileQuota, releaseBytes, reserveBytes } from './file-usage.ts';

/** Longest an upload may take, in minutes. The Worker ends it by then; a row that is older stands for one that died. */
export const UPLOAD_MINUTES = 15;

/** An upload that begins: `id` is the file's to be, `size` what was declared, in bytes. */
export interface NewUpload {
  readonly id: string;
  readonly credentialId: string;
  readonly userId: string;
  readonly channelId: string;
  readonly size: number;
  readonly idempotencyKey: string | null;
  readonly now: Date;
}

/** Before a byte is stored: judges the uploader, counts the bytes and notes that something of this id may come to be in the store. */
export async function beginUpload(tx: Transaction, upload: NewUpload, quota: FileQuota): Promise<Problem | null> {
  const refused = refuseUploader(await standingOf(tx, upload)) ?? (await refuseRunning(tx, upload)) ?? (await reserveBytes(tx, upload.userId, upload.size, quota));
  if (refused) return refused;
  const { id, userId: user_id, channelId: channel_id, size, idempotencyKey: idempotency_key, now: started_at } = upload;
  const noted = await tx
    .insert(fileUploads)
    .values({ id, user_id, channel_id, size, idempotency_key, started_at })
    .onConflictDoNothing()
    .returning({ id: fileUploads.id });
  return noted.length === 0 ? { code: 'idempotency_in_flight' } : null;
}

type UploaderStanding = Standing & { readonly archived: boolean; readonly [column: string]: unknown };

async function standingOf(tx: Transaction, { credentialId, channelId }: Pick<NewUpload, 'credentialId' | 'channelId'>): Promise<UploaderStanding | undefined> {
  const [row] = await tx.execute<UploaderStanding>(sql`
    SELECT ${standingColumns}, ch.archived_at IS NOT NULL AS archived FROM ${standingTables(credentialId, channelId)}`);
  return row;
}

function refuseUploader(standing: UploaderStanding | undefined): Problem | null {
  return refuseReader(standing) ?? (standing?.archived ? { code: 'channel_archived' } : null);
}

/** One upload a key; one that died gives it free. */
async function refuseRunning(tx: Transaction, { userId, idempotencyKey, now }: NewUpload): Promise<Problem | null> {
  if (idempotencyKey === null) return null;
  const mine = and(eq(fileUploads.user_id, userId), eq(fileUploads.idempotency_key, idempotencyKey), isNull(fileUploads.abandoned_at));
  await abandonWhere(tx, and(mine, lt(fileUploads.started_at, new Date(now.getTime() - UPLOAD_MINUTES * 60_000))), now);
  const running = await tx.select({ id: fileUploads.id }).from(fileUploads).where(mine);
  return running.length > 0 ? { code: 'idempotency_in_flight' } : null;
}

/** What the store has taken whole. */
export interface Uploaded {
  readonly id: string;
  readonly credentialId: string;
  readonly name: string;
  readonly mediaType: string;
  readonly size: number;
  readonly sha256: string;
  /** Of the event that tells of it. */
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** The upload becomes a file, with `file.uploaded`. Its uploader is judged anew: much may have happened meanwhile. `conflict`: it was given up. */
export async function finishUpload(tx: Transaction, uploaded: Uploaded): Promise<Outcome<FileState>> {
  const [upload] = await tx
    .delete(fileUploads)
    .where(and(eq(fileUploads.id, uploaded.id), isNull(fileUploads.abandoned_at)))
    .returning({ channel_id: fileUploads.channel_id, user_id: fileUploads.user_id });
  if (!upload) return { problem: { code: 'conflict', detail: 'the upload took too long' } };
  const problem = refuseUploader(await standingOf(tx, { credentialId: uploaded.credentialId, channelId: upload.channel_id }));
  if (problem) return { problem };
  const { id, name, mediaType: media_type, size, sha256, now: created_at } = uploaded;
  const row = { id, channel_id: upload.channel_id, uploader_id: upload.user_id, name, media_type, size, sha256, created_at };
  await tx.insert(files).values(row);
  const file = toFile({ ...row, size: String(size), status: 'pending_scan', thumbnails: [], created_at: created_at.toISOString() });
  await appendFileEvent(tx, { type: 'file.uploaded', id: uploaded.eventId, at: file.created_at, actor_id: file.uploader_id, version: 1, file }, uploaded.traceparent);
  return { ok: file };
}

/** It becomes no file any more and its bytes are free. The row stays until what the store holds of it is removed. False: it is a file, or given up already. */
export async function abandonUpload(tx: Transaction, id: string, now: Date): Promise<boolean> {
  return abandonWhere(tx, and(eq(fileUploads.id, id), isNull(fileUploads.abandoned_at)), now);
}

async function abandonWhere(tx: Transaction, which: ReturnType<typeof and>, now: Date): Promise<boolean> {
  const given = await tx.update(fileUploads).set({ abandoned_at: now }).where(which).returning({ user_id: fileUploads.user_id, size: fileUploads.size });
  for (const { user_id, size } of given) await releaseBytes(tx, user_id, size);
  return given.length > 0;
}
