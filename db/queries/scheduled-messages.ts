import { sql, type SQL } from 'drizzle-orm';
import type postgres from 'postgres';
import { uuidv7 } from 'uuidv7';
import type { FieldError, Outcome, Problem } from '../../protocol/errors.ts';
import { MAX_SCHEDULE_DAYS, MIN_SCHEDULE_SECONDS } from '../../protocol/limits.ts';
import { MAX_SCHEDULED, type ScheduleBody, type ScheduledMessage, type SchedulePatch, type ScheduleStatus } from '../../protocol/scheduled-messages.ts';
import type { Queryable, Transaction } from '../client.ts';
import { scheduledMessages } from '../schema/thread-tables.ts';
import { callerRow, refuseReader, type Standing, standingColumns, standingTables } from './access.ts';
import { findOwnFiles } from './files.ts';
import { wireTime } from './time.ts';

/** Whoever schedules, and for what time it is. */
export interface ScheduleCaller {
  readonly credentialId: string;
  readonly userId: string;
  readonly now: Date;
}

interface Row extends ScheduledMessage {
  /** Somebody has begun to send it, and it is not known yet what came of it. */
  readonly is_under_way: boolean;
  readonly [column: string]: unknown;
}

const columns: SQL = sql`s.id, s.channel_id, s.thread_id, s.text, s.file_ids, ${wireTime(sql`s.send_at`)} AS send_at, s.status, s.failure, s.message_id,
  ${wireTime(sql`s.settled_at`)} AS settled_at, ${wireTime(sql`s.created_at`)} AS created_at, s.version, s.lease IS NOT NULL AS is_under_way`;

function toScheduled(row: Row): ScheduledMessage {
  const { id, channel_id, thread_id, text, file_ids, send_at, status, failure, message_id, settled_at, created_at, version } = row;
  return { id, channel_id, thread_id, text, file_ids, send_at, status, failure, message_id, settled_at, created_at, version };
}

/** Someone's scheduled messages are nobody else's to know of. */
const mine = (credentialId: string): SQL => sql`(${callerRow(credentialId)}) me LEFT JOIN scheduled_messages s ON s.author_id = me.id`;

export interface SchedulePage {
  readonly status: ScheduleStatus | null;
  readonly channelId: string | null;
  /** Only those behind this one; null: from the first. */
  readonly after: { readonly at: string; readonly id: string } | null;
  readonly limit: number;
}

/** The caller's, in the order in which they go out. */
export async function listScheduled(db: Queryable, credentialId: string, { status, channelId, after, limit }: SchedulePage): Promise<Outcome<ScheduledMessage[]>> {
  const rows = await db.execute<Row>(sql`
    SELECT ${columns} FROM ${mine(credentialId)}
      ${status === null ? sql`` : sql`AND s.status = ${status}`} ${channelId === null ? sql`` : sql`AND s.channel_id = ${channelId}`}
      ${after === null ? sql`` : sql`AND (s.send_at, s.id) > (${after.at}::timestamptz, ${after.id}::uuid)`}
    ORDER BY s.send_at, s.id LIMIT ${limit}`);
  return rows.length === 0 ? { problem: { code: 'unauthenticated' } } : { ok: rows.filter(({ id }) => id !== null).map(toScheduled) };
}

export async function findScheduled(db: Queryable, credentialId: string, id: string): Promise<Outcome<ScheduledMessage>> {
  const found = await find(db, credentialId, id);
  return 'problem' in found ? found : { ok: toScheduled(found.ok) };
}

async function find(db: Queryable, credentialId: string, id: string): Promise<Outcome<Row>> {
  const [row] = await db.execute<Row>(sql`SELECT ${columns} FROM ${mine(credentialId)} AND s.id = ${id}`);
  if (row === undefined) return { problem: { code: 'unauthenticated' } };
  return row.id === null ? { problem: { code: 'not_found' } } : { ok: row };
}

/** For members of channels that are not archived. `conflict` for one more than a user may have waiting for a channel. */
export async function scheduleMessage(tx: Transaction, caller: ScheduleCaller, channelId: string, body: ScheduleBody): Promise<Outcome<ScheduledMessage>> {
  const { credentialId, userId, now } = caller;
  // One at a time, so that they are counted.
  await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${`schedule ${userId} ${channelId}`}, 0))`);
  const problem = (await refuseAuthor(tx, credentialId, channelId)) ?? (await refuseContent(tx, caller, { channelId, ...body })) ?? (await refuseMore(tx, userId, channelId));
  if (problem) return { problem };
  const id = uuidv7();
  const { text, thread_id = null, file_ids = [] } = body;
  const at = new Date(body.send_at);
  await tx.insert(scheduledMessages).values({ id, author_id: userId, channel_id: channelId, thread_id, text, file_ids, send_at: at, due_at: at, created_at: now });
  return findScheduled(tx, credentialId, id);
}

async function refuseAuthor(tx: Transaction, credentialId: string, channelId: string): Promise<Problem | null> {
  const [standing] = await tx.execute<Standing & { archived: boolean; [column: string]: unknown }>(sql`
    SELECT ${standingColumns}, ch.archived_at IS NOT NULL AS archived FROM ${standingTables(credentialId, channelId)}`);
  return refuseReader(standing) ?? (standing?.archived ? { code: 'channel_archived' } : null);
}

async function refuseMore(tx: Transaction, userId: string, channelId: string): Promise<Problem | null> {
  const [count] = await tx.execute<{ n: number }>(sql`
    SELECT count(*)::integer AS n FROM scheduled_messages s WHERE s.author_id = ${userId} AND s.channel_id = ${channelId} AND s.status = 'pending'`);
  return (count?.n ?? 0) < MAX_SCHEDULED ? null : { code: 'conflict', detail: `${MAX_SCHEDULED} messages at most may wait for a channel` };
}

interface Content extends SchedulePatch {
  readonly channelId: string;
  readonly thread_id?: string | undefined;
}

/** What of it cannot be sent, as far as that can be known now. */
async function refuseContent(tx: Transaction, { credentialId, now }: ScheduleCaller, { channelId, send_at, thread_id, file_ids }: Content): Promise<Problem | null> {
  const errors: FieldError[] = [];
  if (send_at !== undefined && !isInReach(Date.parse(send_at) - now.getTime())) {
    errors.push({ pointer: '/send_at', detail: `must be from ${MIN_SCHEDULE_SECONDS} seconds to ${MAX_SCHEDULE_DAYS} days from now` });
  }
  if (thread_id !== undefined && !(await isRoot(tx, channelId, thread_id))) errors.push({ pointer: '/thread_id', detail: 'must name a top-level message of this channel' });
  const own = file_ids?.length ? await findOwnFiles(tx, credentialId, channelId, file_ids) : new Set();
  for (const [index, id] of (file_ids ?? []).entries()) {
    if (!own.has(id)) errors.push({ pointer: `/file_ids/${index}`, detail: 'must be a file of your own in this channel' });
  }
  return errors.length === 0 ? null : { code: 'invalid', errors };
}

const isInReach = (ms: number): boolean => ms >= MIN_SCHEDULE_SECONDS * 1_000 && ms <= MAX_SCHEDULE_DAYS * 86_400_000;

async function isRoot(tx: Transaction, channelId: string, messageId: string): Promise<boolean> {
  const rows = await tx.execute(sql`SELECT 1 FROM messages m WHERE m.id = ${messageId} AND m.channel_id = ${channelId} AND m.thread_id IS NULL AND m.deleted_at IS NULL`);
  return rows.length > 0;
}

/** Takes hold of one of the caller's that waits. `conflict` for one that is under way or settled: it may be in the channel by now. */
async function lockWaiting(tx: Transaction, { credentialId }: ScheduleCaller, id: string): Promise<Outcome<ScheduledMessage>> {
  const found = await lock(tx, credentialId, id);
  if ('problem' in found) return found;
  if (found.ok.status !== 'pending') return { problem: { code: 'conflict', detail: found.ok.status === 'sent' ? 'it has been sent' : 'it has failed' } };
  return found.ok.is_under_way ? underWay : { ok: toScheduled(found.ok) };
}

const underWay = { problem: { code: 'conflict', detail: 'it is being sent' } } as const;

async function lock(tx: Transaction, credentialId: string, id: string): Promise<Outcome<Row>> {
  await tx.execute(sql`SELECT FROM scheduled_messages s WHERE s.id = ${id} AND s.author_id = (SELECT me.id FROM (${callerRow(credentialId)}) me) FOR UPDATE`);
  return find(tx, credentialId, id);
}

/** `expected`: the version that is to be changed. */
export async function changeScheduled(tx: Transaction, caller: ScheduleCaller, id: string, patch: SchedulePatch, expected: number): Promise<Outcome<ScheduledMessage>> {
  const found = await lockWaiting(tx, caller, id);
  if ('problem' in found) return found;
  if (found.ok.version !== expected) return { problem: { code: 'precondition_failed' } };
  const problem = await refuseContent(tx, caller, { channelId: found.ok.channel_id, ...patch });
  if (problem) return { problem };
  const { text = found.ok.text, send_at = found.ok.send_at, file_ids = found.ok.file_ids } = patch;
  await tx.execute(sql`
    UPDATE scheduled_messages SET text = ${text}, file_ids = ${JSON.stringify(file_ids ?? [])}::text::jsonb, version = version + 1,
      send_at = ${send_at}::timestamptz, due_at = CASE WHEN ${patch.send_at === undefined} THEN due_at ELSE ${send_at}::timestamptz END
    WHERE id = ${id}`);
  return findScheduled(tx, caller.credentialId, id);
}

/** It is due at this moment. */
export async function sendScheduledNow(tx: Transaction, caller: ScheduleCaller, id: string): Promise<Outcome<ScheduledMessage>> {
  const found = await lockWaiting(tx, caller, id);
  if ('problem' in found) return found;
  await tx.execute(sql`UPDATE scheduled_messages SET send_at = least(send_at, now()), due_at = now(), version = version + 1 WHERE id = ${id}`);
  return findScheduled(tx, caller.credentialId, id);
}

/** One that waits is never sent; of one that is settled nothing is kept. */
export async function deleteScheduled(tx: Transaction, { credentialId }: ScheduleCaller, id: string): Promise<Outcome<null>> {
  const found = await lock(tx, credentialId, id);
  if ('problem' in found) return found;
  if (found.ok.is_under_way) return underWay;
  await tx.execute(sql`DELETE FROM scheduled_messages WHERE id = ${id}`);
  return { ok: null };
}

/** For a user whose messages are deleted. */
export async function deleteScheduledOf(tx: postgres.ISql, userId: string): Promise<void> {
  await tx`DELETE FROM scheduled_messages WHERE author_id = ${userId}`;
}
