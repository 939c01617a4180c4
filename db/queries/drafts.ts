import { sql, type SQL } from 'drizzle-orm';
import type postgres from 'postgres';
import { type Draft, type DraftBody, MAX_DRAFTS } from '../../protocol/drafts.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import { callerRow, refuseReader, type Standing, standingColumns, standingTables } from './access.ts';
import { findOwnFiles } from './files.ts';
import { wireTime } from './time.ts';

/** The draft of a caller for a channel, or for a thread of it. */
export interface DraftRequest {
  readonly credentialId: string;
  readonly userId: string;
  readonly channelId: string;
  readonly threadId: string | null;
  /** The version that is to be changed, 0 for none; null: whatever is there. */
  readonly expected: number | null;
}

interface Row extends Omit<Draft, 'version'> {
  readonly version: string;
  readonly [column: string]: unknown;
}

const columns: SQL = sql`d.channel_id, d.thread_id, d.text, d.file_ids, d.version, ${wireTime(sql`d.updated_at`)} AS updated_at`;
const named = ({ userId, channelId, threadId }: Omit<DraftRequest, 'expected'>): SQL =>
  sql`d.user_id = ${userId} AND d.channel_id = ${channelId} AND d.thread_id IS NOT DISTINCT FROM ${threadId}::uuid`;

const toDraft = ({ channel_id, thread_id, text, file_ids, version, updated_at }: Row): Draft => ({ channel_id, thread_id, text, file_ids, version: Number(version), updated_at });

/** The caller's, what was saved last first, of channels of which they are a member at this moment (G5). `before`: only those with a lower version; null: from the newest. */
export async function listDrafts(db: Queryable, credentialId: string, { before, limit }: { readonly before: number | null; readonly limit: number }): Promise<Outcome<Draft[]>> {
  const rows = await db.execute<Row>(sql`
    SELECT p.* FROM (${callerRow(credentialId)}) me LEFT JOIN LATERAL (
      SELECT ${columns} FROM drafts d JOIN members m ON m.channel_id = d.channel_id AND m.user_id = d.user_id
      WHERE d.user_id = me.id ${before === null ? sql`` : sql`AND d.version < ${before}`} ORDER BY d.version DESC LIMIT ${limit}
    ) p ON true ORDER BY p.version DESC`);
  return rows.length === 0 ? { problem: { code: 'unauthenticated' } } : { ok: rows.filter(({ channel_id }) => channel_id !== null).map(toDraft) };
}

/** For members of the channel; `not_found` for a thread that is not there. `conflict` for one more than a user may have. */
export async function saveDraft(tx: Transaction, request: DraftRequest, { text, file_ids = [] }: DraftBody): Promise<Outcome<Draft>> {
  const found = await lock(tx, request);
  if ('problem' in found) return found;
  const problem = (await refuseFiles(tx, request, file_ids)) ?? (found.ok === null ? await refuseMore(tx, request.userId) : null);
  if (problem) return { problem };
  const { userId, channelId, threadId } = request;
  // Never that of another draft of the user: pages go by it.
  const [saved] = await tx.execute<Row>(sql`
    WITH v AS (
      SELECT greatest((extract(epoch FROM clock_timestamp()) * 1000)::bigint, (SELECT max(o.version) + 1 FROM drafts o WHERE o.user_id = ${userId})) AS version
    ), saved AS (
      INSERT INTO drafts AS d (user_id, channel_id, thread_id, text, file_ids, version, updated_at)
      SELECT ${userId}::uuid, ${channelId}::uuid, ${threadId}::uuid, ${text}, ${JSON.stringify(file_ids)}::text::jsonb, v.version, now() FROM v
      ON CONFLICT (user_id, channel_id, thread_id) DO UPDATE
        SET text = excluded.text, file_ids = excluded.file_ids, updated_at = excluded.updated_at, version = excluded.version
      RETURNING d.*
    )
    SELECT ${columns} FROM saved d`);
  if (saved === undefined) throw new Error('a draft was not saved');
  return { ok: toDraft(saved) };
}

/** The version of what was deleted; null: there was none. */
export async function deleteDraft(tx: Transaction, request: DraftRequest): Promise<Outcome<number | null>> {
  const found = await lock(tx, request);
  if ('problem' in found) return found;
  if (found.ok !== null) await tx.execute(sql`DELETE FROM drafts d WHERE ${named(request)}`);
  return { ok: found.ok === null ? null : Number(found.ok.version) };
}

/** Takes hold of a user's drafts, one request at a time; who is removed meanwhile takes them along, for their removal waits. Null: there is none of that name. */
async function lock(tx: Transaction, request: DraftRequest): Promise<Outcome<Row | null>> {
  const { credentialId, userId, channelId, threadId, expected } = request;
  await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${`drafts ${userId}`}, 0))`);
  await tx.execute(sql`SELECT FROM members m WHERE m.channel_id = ${channelId} AND m.user_id = ${userId} FOR KEY SHARE`);
  const [standing] = await tx.execute<Standing & { is_thread: boolean; [column: string]: unknown }>(sql`
    SELECT ${standingColumns}, EXISTS (SELECT FROM messages m WHERE m.id = ${threadId}::uuid AND m.channel_id = ${channelId} AND m.thread_id IS NULL) AS is_thread
    FROM ${standingTables(credentialId, channelId)}`);
  const problem = refuseReader(standing);
  if (problem) return { problem };
  if (threadId !== null && !standing?.is_thread) return { problem: { code: 'not_found', detail: 'the channel has no such thread' } };
  const [row] = await tx.execute<Row>(sql`SELECT ${columns} FROM drafts d WHERE ${named(request)}`);
  if (expected !== null && expected !== Number(row?.version ?? 0)) return { problem: { code: 'precondition_failed' } };
  return { ok: row ?? null };
}

async function refuseFiles(tx: Transaction, { credentialId, channelId }: DraftRequest, fileIds: readonly string[]): Promise<Problem | null> {
  if (fileIds.length === 0) return null;
  const own = await findOwnFiles(tx, credentialId, channelId, fileIds);
  const errors = fileIds.flatMap((id, index) => (own.has(id) ? [] : [{ pointer: `/file_ids/${index}`, detail: 'must be a file of your own in this channel' }]));
  return errors.length === 0 ? null : { code: 'invalid', errors };
}

async function refuseMore(tx: Transaction, userId: string): Promise<Problem | null> {
  const [count] = await tx.execute<{ n: number }>(sql`SELECT count(*)::integer AS n FROM drafts d WHERE d.user_id = ${userId}`);
  return (count?.n ?? 0) < MAX_DRAFTS ? null : { code: 'conflict', detail: `a user has ${MAX_DRAFTS} drafts at most` };
}

/** Whoever leaves a channel has no drafts for it. */
export async function deleteDraftsOfMember(tx: Transaction, channelId: string, userId: string): Promise<void> {
  await tx.execute(sql`DELETE FROM drafts d WHERE d.user_id = ${userId} AND d.channel_id = ${channelId}`);
}

/** For a user whose messages are deleted. */
export async function deleteDraftsOf(tx: postgres.ISql, userId: string): Promise<void> {
  await tx`DELETE FROM drafts WHERE user_id = ${userId}`;
}
