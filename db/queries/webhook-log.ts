import { sql, type SQL } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { Outcome } from '../../protocol/errors.ts';
import { type Delivery, type DeliveryStatus, TEST_EVENT } from '../../protocol/webhooks.ts';
import type { Queryable, Transaction } from '../client.ts';
import { webhookDeliveries, webhookEvents } from '../schema/webhook-tables.ts';
import { wireTime } from './time.ts';
import { findWebhook, lockWebhook, type WebhookRequest } from './webhooks.ts';

const deliveryColumns: SQL = sql`d.event_id AS id, e.type AS event_type, e.channel_id, d.status, d.attempts,
  CASE WHEN d.status = 'pending' THEN ${wireTime(sql`d.next_at`)} END AS next_attempt_at, d.last_status, d.last_latency_ms, d.failure,
  ${wireTime(sql`d.created_at`)} AS created_at, ${wireTime(sql`d.settled_at`)} AS settled_at`;
const deliveryTables: SQL = sql`webhook_deliveries d JOIN webhook_events e ON e.id = d.event_id`;

type Row = { [column: string]: unknown } & Delivery & { readonly number: string };

function toDelivery(row: Row): Delivery {
  const { id, event_type, channel_id, status, attempts, next_attempt_at, last_status, last_latency_ms, failure, created_at, settled_at } = row;
  return { id, event_type, channel_id, status, attempts, next_attempt_at, last_status, last_latency_ms, failure, created_at, settled_at };
}

export interface LoggedDelivery {
  /** Where it stands in the log. */
  readonly number: number;
  readonly delivery: Delivery;
}

export interface LogPage {
  /** Null: from the newest on. */
  readonly below: number | null;
  readonly limit: number;
  readonly status: DeliveryStatus | undefined;
}

/** Deliveries of one of the caller's webhooks, the newest first. */
export async function listDeliveries(db: Queryable, credentialId: string, webhookId: string, { below, limit, status }: LogPage): Promise<Outcome<LoggedDelivery[]>> {
  const found = await findWebhook(db, credentialId, webhookId);
  if ('problem' in found) return found;
  const rows = await db.execute<Row>(sql`
    SELECT d.number, ${deliveryColumns} FROM ${deliveryTables} WHERE d.webhook_id = ${webhookId}
      AND (${below}::bigint IS NULL OR d.number < ${below}::bigint) AND (${status ?? null}::text IS NULL OR d.status = ${status ?? null}::text)
    ORDER BY d.number DESC LIMIT ${limit}`);
  return { ok: rows.map((row) => ({ number: Number(row.number), delivery: toDelivery(row) })) };
}

async function findDelivery(db: Queryable, webhookId: string, eventId: string): Promise<Outcome<Delivery>> {
  const [row] = await db.execute<Row>(sql`SELECT ${deliveryColumns} FROM ${deliveryTables} WHERE d.webhook_id = ${webhookId} AND d.event_id = ${eventId}`);
  return row === undefined ? { problem: { code: 'not_found' } } : { ok: toDelivery(row) };
}

/** Holds an enabled webhook, and lets it be tried at once: its owner asks for that. */
async function wakeWebhook(tx: Transaction, { credentialId, id }: WebhookRequest): Promise<Outcome<null>> {
  const found = await lockWebhook(tx, credentialId, id);
  if ('problem' in found) return found;
  if (found.ok.state === 'disabled') return { problem: { code: 'conflict', detail: 'the webhook is disabled' } };
  await tx.execute(sql`UPDATE webhooks SET blocked_until = NULL WHERE id = ${id} AND blocked_until IS NOT NULL`);
  return { ok: null };
}

/** Sends an event that means nothing. */
export async function testWebhook(tx: Transaction, request: WebhookRequest): Promise<Outcome<Delivery>> {
  const woken = await wakeWebhook(tx, request);
  if ('problem' in woken) return woken;
  const [event_id, { id: webhook_id, now }] = [uuidv7(), request];
  await tx.insert(webhookEvents).values({ id: event_id, type: TEST_EVENT, at: now, data: { webhook_id }, created_at: now });
  await tx.insert(webhookDeliveries).values({ webhook_id, event_id, next_at: now, created_at: now });
  return findDelivery(tx, webhook_id, event_id);
}

/** Has an event sent once more, under its id, and if need be by the whole retry table; one that waits is due now. */
export async function replayDelivery(tx: Transaction, request: WebhookRequest, eventId: string): Promise<Outcome<Delivery>> {
  const woken = await wakeWebhook(tx, request);
  if ('problem' in woken) return woken;
  await tx.execute(sql`
    UPDATE webhook_deliveries SET attempts = CASE WHEN status = 'pending' THEN attempts ELSE 0 END, status = 'pending', lease = NULL,
      next_at = ${request.now.toISOString()}::timestamptz, failure = NULL, settled_at = NULL
    WHERE webhook_id = ${request.id} AND event_id = ${eventId}`);
  return findDelivery(tx, request.id, eventId);
}
