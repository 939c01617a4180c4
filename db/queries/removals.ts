import { sql } from 'drizzle-orm';
import type { Outcome } from '../../protocol/errors.ts';
import type { Transaction } from '../client.ts';
import { refuseNonModerator } from './administrators.ts';
import { recordAct } from './audit.ts';
import { appendDirectoryEvent } from './directory-events.ts';

/** Somebody who moderates, and what their act is told by. */
export interface ModerationRequest {
  readonly credentialId: string;
  readonly actorId: string;
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** What is to be removed, and where. */
export interface OrderedRemoval {
  readonly channel_id: string;
  readonly message_id: string;
  readonly moderator_id: string;
}

/** What is reported, judged or removed, one after the other; always before its reports are locked. What is asked of it is asked in a later statement, which sees what was waited for. */
export async function lockMessage(tx: Transaction, messageId: string): Promise<void> {
  await tx.execute(sql`SELECT FROM messages m WHERE m.id = ${messageId} FOR NO KEY UPDATE`);
}

/**
 * Orders that a message be removed, wherever it is. The order is audited here; its room removes the message afterwards, and is told until it has. `not_found` for a message that is not in Postgres,
 * `conflict` for one that was deleted otherwise. Repeating it gives the order that there is.
 */
export async function orderRemoval(tx: Transaction, request: ModerationRequest, messageId: string, reason: string): Promise<Outcome<OrderedRemoval>> {
  const problem = await refuseNonModerator(tx, request.credentialId);
  if (problem) return { problem };
  await lockMessage(tx, messageId);
  const [message] = await tx.execute<{ channel_id: string; author_id: string; deleted: boolean }>(sql`
    SELECT m.channel_id, m.author_id, m.deleted_at IS NOT NULL AS deleted FROM messages m WHERE m.id = ${messageId}`);
  if (!message) return { problem: { code: 'not_found' } };
  return (message.deleted ? null : await insertOrder(tx, request, { ...message, message_id: messageId, reason })) ?? findOrder(tx, messageId);
}

type Ordered = Pick<OrderedRemoval, 'channel_id' | 'message_id'> & { readonly author_id: string; readonly reason: string };

/** Null where there is one already. */
async function insertOrder(tx: Transaction, request: ModerationRequest, { channel_id, message_id, author_id, reason }: Ordered): Promise<Outcome<OrderedRemoval> | null> {
  const { eventId: id, actorId: actor_id, credentialId, now, traceparent } = request;
  const at = now.toISOString();
  const inserted = await tx.execute(sql`
    INSERT INTO message_removals (message_id, event_id, channel_id, moderator_id, reason, ordered_at)
    VALUES (${message_id}, ${id}, ${channel_id}, ${actor_id}, ${reason}, ${at}::timestamptz) ON CONFLICT DO NOTHING RETURNING message_id`);
  if (inserted.length === 0) return null;
  await appendDirectoryEvent(tx, { type: 'channel.message_removal_ordered', id, at, actor_id, channel_id, message_id }, traceparent);
  await recordAct(tx, { act: 'message.removal_ordered', target: ['message', message_id], details: { channel_id, author_id, reason } }, { actorId: actor_id, credentialId });
  return { ok: { channel_id, message_id, moderator_id: actor_id } };
}

async function findOrder(tx: Transaction, messageId: string): Promise<Outcome<OrderedRemoval>> {
  const [row] = await tx.execute<{ [K in keyof OrderedRemoval]: OrderedRemoval[K] }>(sql`
    SELECT r.channel_id, r.message_id, r.moderator_id FROM message_removals r WHERE r.message_id = ${messageId}`);
  return row ? { ok: { ...row } } : { problem: { code: 'conflict', detail: 'the message is deleted already' } };
}
