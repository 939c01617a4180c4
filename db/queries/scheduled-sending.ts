import { sql as drizzleSql } from 'drizzle-orm';
import type postgres from 'postgres';
import type { DueMessage, ScheduleFailure } from '../../protocol/scheduled-messages.ts';
import type { Transaction } from '../client.ts';

type AnySql = postgres.ISql;

/** A message that its claimer is to send now. */
export interface ClaimedMessage extends DueMessage {
  /** This one included. */
  readonly attempts: number;
}

export interface ScheduleClaim {
  /** Names the claim: what settles it must bear it. */
  readonly lease: string;
  /** Milliseconds until somebody else may send what this claim takes. */
  readonly leaseMs: number;
  readonly most: number;
}

/**
 * Takes messages that are due, the longest due first: of each author and channel the first one that is not settled, so that they go out in their order. By Postgres' clock, for that of a
 * process may be off. What another process is claiming, or a request changing, is passed over.
 */
export async function claimScheduled(sql: AnySql, { lease, leaseMs, most }: ScheduleClaim): Promise<ClaimedMessage[]> {
  return await sql<ClaimedMessage[]>`
    WITH due AS MATERIALIZED (
      SELECT s.id FROM scheduled_messages s
      WHERE s.status = 'pending' AND s.due_at <= now() AND NOT EXISTS (
        SELECT FROM scheduled_messages e
        WHERE e.author_id = s.author_id AND e.channel_id = s.channel_id AND e.status = 'pending' AND (e.send_at, e.id) < (s.send_at, s.id))
      ORDER BY s.due_at, s.id LIMIT ${most} FOR UPDATE SKIP LOCKED
    )
    UPDATE scheduled_messages s SET lease = ${lease}::uuid, due_at = now() + make_interval(secs => ${leaseMs / 1_000}), attempts = s.attempts + 1
    FROM due d WHERE s.id = d.id
    RETURNING s.id, s.author_id, s.channel_id, s.thread_id, s.text, s.file_ids, s.attempts`;
}

/** What has come of a claimed message. `later`: after so many milliseconds it is tried again; `isUnknown`: it may have been sent. */
export type ScheduleOutcome =
  | { readonly status: 'sent'; readonly messageId: string }
  | { readonly status: 'failed'; readonly failure: ScheduleFailure }
  | { readonly status: 'later'; readonly afterMs: number; readonly isUnknown: boolean };

/** Keeps it, unless somebody else has the message by now. */
export async function settleScheduled(sql: AnySql, { id, lease }: { readonly id: string; readonly lease: string }, outcome: ScheduleOutcome): Promise<void> {
  if (outcome.status === 'later') {
    await sql`
      UPDATE scheduled_messages SET due_at = now() + make_interval(secs => ${outcome.afterMs / 1_000}), lease = CASE WHEN ${outcome.isUnknown} THEN lease END
      WHERE id = ${id} AND lease = ${lease}::uuid AND status = 'pending'`;
  } else if (outcome.status === 'sent') {
    await sql`
      UPDATE scheduled_messages SET status = 'sent', message_id = ${outcome.messageId}, text = '', file_ids = '[]', settled_at = now(), lease = NULL, version = version + 1
      WHERE id = ${id} AND lease = ${lease}::uuid AND status = 'pending'`;
  } else {
    await sql`
      UPDATE scheduled_messages SET status = 'failed', failure = ${outcome.failure}, settled_at = now(), lease = NULL, version = version + 1
      WHERE id = ${id} AND lease = ${lease}::uuid AND status = 'pending'`;
  }
}

/** When what is due longest was to be sent, in epoch milliseconds; null: nothing is due. */
export async function readOldestScheduled(sql: AnySql): Promise<number | null> {
  const [row] = await sql<[{ oldest: number | null }]>`
    SELECT (extract(epoch FROM min(o.send_at)) * 1000)::float8 AS oldest FROM (
      SELECT s.send_at FROM scheduled_messages s WHERE s.status = 'pending' AND s.due_at <= now() + interval '5 minutes' AND s.send_at <= now() ORDER BY s.due_at LIMIT 1000
    ) o`;
  return row.oldest;
}

/** Deletes at most `most` that were settled before; returns how many. */
export async function purgeScheduled(sql: AnySql, before: Date, most: number): Promise<number> {
  const purged = await sql`
    DELETE FROM scheduled_messages WHERE id IN (
      SELECT s.id FROM scheduled_messages s WHERE s.status <> 'pending' AND s.settled_at < ${before.toISOString()}::timestamptz ORDER BY s.settled_at LIMIT ${most})`;
  return purged.count;
}

/** Why an author may not send to a channel at this moment, or null. Until the end of the transaction they are not deactivated. */
export async function refuseDueAuthor(tx: Transaction, authorId: string, channelId: string): Promise<ScheduleFailure | null> {
  await tx.execute(drizzleSql`SELECT FROM users u WHERE u.id = ${authorId} FOR SHARE`);
  const [row] = await tx.execute<{ is_active: boolean; is_member: boolean }>(drizzleSql`
    SELECT u.deactivated_at IS NULL AS is_active, m.user_id IS NOT NULL AS is_member
    FROM users u LEFT JOIN members m ON m.user_id = u.id AND m.channel_id = ${channelId} WHERE u.id = ${authorId}`);
  if (!row?.is_active) return 'author_deactivated';
  return row.is_member ? null : 'not_a_member';
}
