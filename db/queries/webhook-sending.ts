import type postgres from 'postgres';
import type { DeliveryFailure } from '../../protocol/webhooks.ts';

type AnySql = postgres.ISql;

/** A delivery that its claimer is to send now. Secrets are bytes; `previous_secret` null unless it signs too. */
export interface ClaimedDelivery {
  readonly webhook_id: string;
  readonly event_id: string;
  readonly owner_id: string;
  readonly url: string;
  readonly host: string;
  readonly secret: Uint8Array;
  readonly previous_secret: Uint8Array | null;
  readonly type: string;
  readonly at: string;
  readonly data: Record<string, unknown>;
  /** Before this one. */
  readonly attempts: number;
  /** Why it may not be sent after all (G5). */
  readonly refusal: Extract<DeliveryFailure, 'owner_deactivated' | 'not_a_member' | 'deleted'> | null;
}

export interface ClaimRequest {
  readonly now: Date;
  /** Names the claim: what settles it must bear it. */
  readonly lease: string;
  /** Milliseconds until somebody else may send what this claim takes. */
  readonly leaseMs: number;
  /** Most deliveries. */
  readonly most: number;
  /** Most that are sent at a time for one owner, and to one host, by this process; and how many are by now. */
  readonly perOwner: number;
  readonly perHost: number;
  readonly sending: { readonly owners: Readonly<Record<string, number>>; readonly hosts: Readonly<Record<string, number>> };
  /** From so many failures in a row on, a webhook is tried with one delivery at a time. */
  readonly breakAfter: number;
}

/** Most webhooks of one claim. */
const MOST_WEBHOOKS = 500;

/**
 * Takes deliveries that are due, by webhooks in the order of what is due longest, and few of each: no backlog stands before another's. Webhooks that another process claims
 * of at this moment are passed over. Their owners' right to what is sent, and what its message says, are of this statement's snapshot.
 */
export async function claimDeliveries(tx: AnySql, request: ClaimRequest): Promise<ClaimedDelivery[]> {
  const { lease, most, perOwner, perHost, breakAfter } = request;
  const now = request.now.toISOString();
  const until = new Date(request.now.getTime() + request.leaseMs).toISOString();
  const owners = JSON.stringify(request.sending.owners);
  const hosts = JSON.stringify(request.sending.hosts);
  return tx<ClaimedDelivery[]>`
    WITH busy AS (SELECT ${owners}::text::jsonb AS owners, ${hosts}::text::jsonb AS hosts),
    ready AS MATERIALIZED (
      SELECT w.id, w.owner_id, w.host, w.failures >= ${breakAfter} AS is_probe
      FROM webhooks w, busy b
      CROSS JOIN LATERAL (
        SELECT d.next_at FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.next_at <= ${now}::timestamptz ORDER BY d.next_at LIMIT 1
      ) oldest
      WHERE w.state = 'enabled' AND (w.blocked_until IS NULL OR w.blocked_until <= ${now}::timestamptz)
        AND coalesce((b.owners ->> w.owner_id::text)::integer, 0) < ${perOwner} AND coalesce((b.hosts ->> w.host)::integer, 0) < ${perHost}
      ORDER BY oldest.next_at LIMIT ${MOST_WEBHOOKS} FOR NO KEY UPDATE OF w SKIP LOCKED
    ), due AS (
      SELECT r.id AS webhook_id, d.event_id, d.next_at,
        row_number() OVER (PARTITION BY r.owner_id ORDER BY d.next_at, d.event_id) + coalesce((b.owners ->> r.owner_id::text)::integer, 0) AS of_owner,
        row_number() OVER (PARTITION BY r.host ORDER BY d.next_at, d.event_id) + coalesce((b.hosts ->> r.host)::integer, 0) AS of_host
      FROM ready r, busy b
      CROSS JOIN LATERAL (
        SELECT d.event_id, d.next_at FROM webhook_deliveries d WHERE d.webhook_id = r.id AND d.status = 'pending' AND d.next_at <= ${now}::timestamptz
        ORDER BY d.next_at, d.event_id LIMIT CASE WHEN r.is_probe THEN 1 ELSE ${perHost}::integer END
      ) d
    ), chosen AS MATERIALIZED (
      SELECT d.webhook_id, d.event_id FROM due d WHERE d.of_owner <= ${perOwner} AND d.of_host <= ${perHost} ORDER BY d.next_at LIMIT ${most}
    ), probed AS (
      UPDATE webhooks w SET blocked_until = ${until}::timestamptz FROM ready r
      WHERE w.id = r.id AND r.is_probe AND w.id IN (SELECT c.webhook_id FROM chosen c)
    ), claimed AS (
      UPDATE webhook_deliveries d SET lease = ${lease}::uuid, next_at = ${until}::timestamptz FROM chosen c
      WHERE d.webhook_id = c.webhook_id AND d.event_id = c.event_id AND d.status = 'pending' AND d.next_at <= ${now}::timestamptz
      RETURNING d.webhook_id, d.event_id, d.attempts
    )
    SELECT c.webhook_id::text, c.event_id::text, w.owner_id::text, w.url, w.host, w.secret,
      CASE WHEN w.previous_secret_until > ${now}::timestamptz THEN w.previous_secret END AS previous_secret, e.type,
      to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
      CASE WHEN e.subject_id IS NOT NULL AND e.data ? 'text' AND g.text IS NOT NULL THEN jsonb_set(e.data, '{text}', to_jsonb(g.text)) ELSE e.data END AS data, c.attempts,
      CASE WHEN u.deactivated_at IS NOT NULL THEN 'owner_deactivated'
        WHEN e.channel_id IS NOT NULL AND m.user_id IS NULL THEN 'not_a_member'
        WHEN e.type NOT IN ('message.deleted', 'file.deleted') AND coalesce(g.deleted_at, f.deleted_at) IS NOT NULL THEN 'deleted'
        WHEN e.subject_id IS NOT NULL AND e.data ? 'text' AND g.id IS NULL THEN 'deleted' END AS refusal
    FROM claimed c
    JOIN webhooks w ON w.id = c.webhook_id
    JOIN users u ON u.id = w.owner_id
    JOIN webhook_events e ON e.id = c.event_id
    LEFT JOIN members m ON m.channel_id = e.channel_id AND m.user_id = w.owner_id
    LEFT JOIN messages g ON g.id = e.subject_id
    LEFT JOIN files f ON f.id = e.subject_id`;
}

/** What has come of a claimed delivery. Times by the sender's clock. */
export interface Settlement {
  readonly webhook_id: string;
  readonly event_id: string;
  readonly lease: string;
  readonly status: 'pending' | 'delivered' | 'failed' | 'cancelled';
  /** Attempts made by now. */
  readonly attempts: number;
  /** Of the next attempt; null: there is none. */
  readonly nextAt: Date | null;
  readonly lastStatus: number | null;
  readonly latencyMs: number | null;
  readonly failure: DeliveryFailure | null;
}

/** Keeps it, unless somebody else has the delivery by now. What was cancelled under way stays so, but for a success. */
export async function settleDelivery(tx: AnySql, settlement: Settlement, now: Date): Promise<void> {
  const { webhook_id, event_id, lease, status, attempts, nextAt, lastStatus, latencyMs, failure } = settlement;
  const isOver = status !== 'pending';
  await tx`
    UPDATE webhook_deliveries d SET lease = NULL, attempts = ${attempts}, last_status = ${lastStatus}, last_latency_ms = ${latencyMs},
      status = CASE WHEN d.status = 'cancelled' AND ${status}::text <> 'delivered' THEN d.status ELSE ${status}::text END,
      failure = CASE WHEN d.status = 'cancelled' AND ${status}::text <> 'delivered' THEN d.failure ELSE ${failure}::text END,
      settled_at = CASE WHEN d.status = 'cancelled' AND ${status}::text <> 'delivered' THEN d.settled_at WHEN ${isOver} THEN ${now.toISOString()}::timestamptz END,
      next_at = coalesce(${nextAt?.toISOString() ?? null}::timestamptz, d.next_at)
    WHERE d.webhook_id = ${webhook_id} AND d.event_id = ${event_id} AND d.lease = ${lease}::uuid`;
}

/** Closes a webhook's breaker. */
export async function noteSuccess(tx: AnySql, webhookId: string): Promise<void> {
  await tx`
    UPDATE webhooks SET failures = 0, failing_since = NULL, blocked_until = NULL
    WHERE id = ${webhookId} AND (failures > 0 OR failing_since IS NOT NULL OR blocked_until IS NOT NULL)`;
}

export interface Failing {
  readonly failures: number;
  readonly since: Date;
}

/** Counts a failure, and holds the webhook for the rest of the transaction. Null: there is no such webhook. */
export async function noteFailure(tx: AnySql, webhookId: string, now: Date): Promise<Failing | null> {
  const [row] = await tx<{ failures: number; since: number }[]>`
    UPDATE webhooks SET failures = failures + 1, failing_since = coalesce(failing_since, ${now.toISOString()}::timestamptz) WHERE id = ${webhookId}
    RETURNING failures, (extract(epoch FROM failing_since) * 1000)::float8 AS since`;
  return row === undefined ? null : { failures: row.failures, since: new Date(row.since) };
}

/** Nothing goes to the webhook before `until`; null: it may be tried. */
export async function blockWebhook(tx: AnySql, webhookId: string, until: Date | null): Promise<void> {
  await tx`UPDATE webhooks SET blocked_until = ${until?.toISOString() ?? null}::timestamptz WHERE id = ${webhookId}`;
}

/** When what is due longest was due, of webhooks that are sent to, in epoch milliseconds; null: nothing is due. */
export async function readOldestDue(sql: AnySql, now: Date): Promise<number | null> {
  const at = now.toISOString();
  const [row] = await sql<[{ oldest: number | null }]>`
    SELECT (extract(epoch FROM min(o.next_at)) * 1000)::float8 AS oldest FROM webhooks w
    CROSS JOIN LATERAL (SELECT d.next_at FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' ORDER BY d.next_at LIMIT 1) o
    WHERE w.state = 'enabled' AND (w.blocked_until IS NULL OR w.blocked_until <= ${at}::timestamptz) AND o.next_at <= ${at}::timestamptz`;
  return row.oldest;
}

/**
 * Deletes at most `most` rows each of what is older than `before` and of what belonged to deleted webhooks, and those webhooks behind their last delivery. Events stay for as
 * long again as a delivery of that age may be tried. Whether there may be more.
 */
export async function purgeWebhooks(sql: AnySql, before: Date, most: number): Promise<boolean> {
  const at = before.toISOString();
  const old = await sql`
    DELETE FROM webhook_deliveries d USING (SELECT o.webhook_id, o.event_id FROM webhook_deliveries o WHERE o.created_at < ${at}::timestamptz LIMIT ${most}) o
    WHERE d.webhook_id = o.webhook_id AND d.event_id = o.event_id`;
  const orphans = await sql`
    DELETE FROM webhook_deliveries d USING (
      SELECT o.webhook_id, o.event_id FROM webhooks w JOIN webhook_deliveries o ON o.webhook_id = w.id WHERE w.deleted_at IS NOT NULL LIMIT ${most}
    ) o WHERE d.webhook_id = o.webhook_id AND d.event_id = o.event_id`;
  const events = await sql`
    DELETE FROM webhook_events e USING (
      SELECT o.id FROM webhook_events o WHERE o.created_at < ${at}::timestamptz - interval '5 days' LIMIT ${most}
    ) o WHERE e.id = o.id`;
  await sql`
    DELETE FROM webhooks w WHERE w.deleted_at < now() - interval '1 minute' AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id)`;
  return [old, orphans, events].some(({ count }) => count === most);
}
