import { sql } from 'drizzle-orm';
import type { SavedMessage, SavedPage, SavedState } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { MAX_SAVED } from '../../protocol/limits.ts';
import type { Queryable, Transaction } from '../client.ts';
import { callerRow } from './access.ts';
import { authorsOf, type MessageRow, messageColumns, messageTables, storedColumns, toMessage } from './messages.ts';
import { wireTime } from './time.ts';

export interface SaveRequest {
  readonly credentialId: string;
  readonly messageId: string;
  readonly now: Date;
}

interface List {
  readonly user_id: string;
  readonly size: number;
  readonly version: number;
}

/** The caller's list, made where there is none, and locked until the transaction ends: whoever changes it does so one after the other. Null: the credential is dead. */
async function lockList(tx: Transaction, credentialId: string): Promise<List | null> {
  await tx.execute(sql`
    INSERT INTO saved_lists (user_id, size, version) SELECT me.id, 0, 0 FROM (${callerRow(credentialId)}) me ON CONFLICT (user_id) DO NOTHING`);
  const [list] = await tx.execute<{ user_id: string; size: number; version: number; [column: string]: unknown }>(sql`
    SELECT l.user_id, l.size, l.version::float8 AS version FROM saved_lists l WHERE l.user_id = (SELECT me.id FROM (${callerRow(credentialId)}) me) FOR UPDATE`);
  return list ?? null;
}

async function grow(tx: Transaction, { user_id, version }: List, by: 1 | -1): Promise<number> {
  await tx.execute(sql`UPDATE saved_lists SET size = size + ${by}::integer, version = version + 1 WHERE user_id = ${user_id}`);
  return version + 1;
}

/** Saves a message that the caller may read; one that is saved already stays where it is. `not_found` for all others, `limit_reached` where the list is full (G8). */
export async function saveMessage(tx: Transaction, { credentialId, messageId, now }: SaveRequest): Promise<Outcome<SavedState>> {
  const list = await lockList(tx, credentialId);
  if (list === null) return { problem: { code: 'unauthenticated' } };
  const [found] = await tx.execute<{ channel_id: string; is_saved: boolean }>(sql`
    SELECT m.channel_id, EXISTS (SELECT FROM saved_messages s WHERE s.user_id = mine.user_id AND s.message_id = m.id) AS is_saved
    FROM messages m JOIN members mine ON mine.channel_id = m.channel_id AND mine.user_id = ${list.user_id} WHERE m.id = ${messageId}`);
  if (!found) return { problem: { code: 'not_found' } };
  const saved = { message_id: messageId, saved: true };
  if (found.is_saved) return { ok: { ...saved, version: list.version } };
  if (list.size >= MAX_SAVED) return { problem: { code: 'limit_reached', detail: `A user saves ${MAX_SAVED} messages at most` } };
  const version = await grow(tx, list, 1);
  await tx.execute(sql`
    INSERT INTO saved_messages (user_id, message_id, channel_id, number, saved_at) VALUES (${list.user_id}, ${messageId}, ${found.channel_id}, ${version}, ${now.toISOString()}::timestamptz)`);
  return { ok: { ...saved, version } };
}

/** Also of a message that the caller may not read any more. */
export async function unsaveMessage(tx: Transaction, { credentialId, messageId }: SaveRequest): Promise<Outcome<SavedState>> {
  const list = await lockList(tx, credentialId);
  if (list === null) return { problem: { code: 'unauthenticated' } };
  const removed = await tx.execute(sql`DELETE FROM saved_messages WHERE user_id = ${list.user_id} AND message_id = ${messageId} RETURNING message_id`);
  return { ok: { message_id: messageId, saved: false, version: removed.length > 0 ? await grow(tx, list, -1) : list.version } };
}

type Row = MessageRow & { number: string; saved_at: string; list_version: number | null; [column: string]: unknown };

type Found = Omit<SavedPage, 'next_cursor'> & { readonly numbers: readonly number[] };

/** What the caller has saved and may still read, the newest first: at most `limit` of a lower number than `before`. Deleted ones as they stand in history. */
export async function listSaved(db: Queryable, credentialId: string, { before, limit }: { before: number; limit: number }): Promise<Outcome<Found>> {
  const rows = await db.execute<Row>(sql`
    SELECT o.version::float8 AS list_version, p.number, ${wireTime(sql`p.saved_at`)} AS saved_at, ${messageColumns}
    FROM (${callerRow(credentialId)}) me
    LEFT JOIN saved_lists o ON o.user_id = me.id
    LEFT JOIN LATERAL (
      SELECT ${storedColumns}, k.number, k.saved_at FROM saved_messages k
      JOIN members mine ON mine.channel_id = k.channel_id AND mine.user_id = k.user_id
      JOIN messages m ON m.id = k.message_id
      WHERE k.user_id = me.id AND k.number < ${before} ORDER BY k.number DESC LIMIT ${limit}
    ) p ON true ${messageTables}
    ORDER BY p.number DESC`);
  const [first] = rows;
  if (first === undefined) return { problem: { code: 'unauthenticated' } };
  const found = rows.filter(({ id }) => id !== null);
  const data = found.map((row): SavedMessage => ({ saved_at: row.saved_at, message: toMessage(row) }));
  return { ok: { data, numbers: found.map(({ number }) => Number(number)), version: first.list_version ?? 0, users: authorsOf(found) } };
}
