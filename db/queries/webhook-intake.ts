import type postgres from 'postgres';
import type { DisabledReason } from '../../protocol/webhooks.ts';

type AnySql = postgres.ISql;

/** An event as webhooks are told of it. */
export interface WebhookEventRow {
  readonly id: string;
  readonly type: string;
  readonly channel_id: string;
  readonly subject_id: string | null;
  readonly at: string;
  /** The `data` of the payload, with an empty text where it is to have a message's. */
  readonly data: object;
}

/** Whether any webhook is to be told of anything. */
export async function hasWebhooks(tx: AnySql): Promise<boolean> {
  const [row] = await tx<[{ any: boolean }]>`SELECT EXISTS (SELECT FROM webhooks w WHERE w.state = 'enabled') AS any`;
  return row.any;
}

/**
 * A delivery for each of `events` and each enabled webhook that asks for its type, whose owner is active and a member of its channel. An event that a webhook has a delivery
 * of makes no other (G2); one of more than `slackMs` before a webhook was made is not for that webhook. Returns the webhooks that got any.
 */
export async function insertDeliveries(tx: AnySql, events: readonly WebhookEventRow[], now: Date, slackMs: number): Promise<string[]> {
  if (events.length === 0) return [];
  const rows = await tx<{ webhook_id: string }[]>`
    WITH e AS MATERIALIZED (
      SELECT r.* FROM ROWS FROM (
        jsonb_to_recordset(${JSON.stringify(events)}::text::jsonb) AS (id uuid, type text, channel_id uuid, subject_id uuid, at timestamptz, data jsonb)
      ) WITH ORDINALITY AS r (id, type, channel_id, subject_id, at, data, place)
    ), reader AS MATERIALIZED (
      SELECT w.id, c.channel_id, w.event_types, w.created_at
      FROM (SELECT DISTINCT e.channel_id FROM e) c
      JOIN webhooks w ON w.state = 'enabled' AND (w.channel_id IS NULL OR w.channel_id = c.channel_id)
      JOIN members m ON m.channel_id = c.channel_id AND m.user_id = w.owner_id
      JOIN users u ON u.id = w.owner_id AND u.deactivated_at IS NULL
    ), wanted AS MATERIALIZED (
      SELECT r.id AS webhook_id, e.id AS event_id, e.place FROM e
      JOIN reader r ON r.channel_id = e.channel_id AND e.type = ANY (r.event_types) AND e.at >= r.created_at - make_interval(secs => ${slackMs / 1_000})
    ), kept AS (
      INSERT INTO webhook_events (id, type, channel_id, subject_id, at, data, created_at)
      SELECT DISTINCT ON (e.id) e.id, e.type, e.channel_id, e.subject_id, e.at, e.data, ${now.toISOString()}::timestamptz
      FROM e WHERE e.id IN (SELECT w.event_id FROM wanted w)
      ON CONFLICT (id) DO NOTHING
    ), made AS (
      INSERT INTO webhook_deliveries (webhook_id, event_id, next_at, created_at)
      SELECT w.webhook_id, w.event_id, ${now.toISOString()}::timestamptz, ${now.toISOString()}::timestamptz FROM wanted w ORDER BY w.place
      ON CONFLICT (webhook_id, event_id) DO NOTHING
      RETURNING webhook_id
    )
    SELECT DISTINCT m.webhook_id::text AS webhook_id FROM made m`;
  return rows.map(({ webhook_id }) => webhook_id);
}

/** Which of `webhookIds` have more than `most` deliveries waiting. */
export async function findBacklogged(tx: AnySql, webhookIds: readonly string[], most: number): Promise<string[]> {
  if (webhookIds.length === 0) return [];
  const rows = await tx<{ id: string }[]>`
    SELECT w.id::text AS id FROM (SELECT i.id::uuid AS id FROM jsonb_array_elements_text(${JSON.stringify(webhookIds)}::text::jsonb) AS i (id)) w
    WHERE EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' OFFSET ${most})`;
  return rows.map(({ id }) => id);
}

/** Ends an enabled webhook's deliveries for a reason: what waits is cancelled. Whether it was enabled. */
export async function disableWebhook(tx: AnySql, webhookId: string, reason: DisabledReason, now: Date): Promise<boolean> {
  const at = now.toISOString();
  const disabled = await tx`
    UPDATE webhooks SET state = 'disabled', disabled_reason = ${reason}, disabled_at = ${at}::timestamptz, version = version + 1
    WHERE id = ${webhookId} AND state = 'enabled'`;
  if (disabled.count === 0) return false;
  await tx`
    UPDATE webhook_deliveries SET status = 'cancelled', failure = 'disabled', settled_at = ${at}::timestamptz
    WHERE webhook_id = ${webhookId} AND status = 'pending'`;
  return true;
}
