import type postgres from 'postgres';
import { noticeColumns, noticeJoins, type NoticeToSend } from './notices-to-send.ts';
import type { StoredQuietHours } from './notices.ts';

type AnySql = postgres.ISql;

/** A notice of an inbox, of which its user's browsers are to be told. */
export interface NotedNotice {
  readonly id: string;
  readonly user_id: string;
  readonly seq: number;
  readonly at: string;
}

/** A notice of before a subscription is not for it; but whoever dates notices has not the clock that dates subscriptions. Seconds. */
const SKEW_SECONDS = 5;
/** For so long a notice is news. What is told again later than that, as when a topic is read anew, is not noted. */
export const PUSH_NEWS_SECONDS = 86_400;
/** A push waits for so long: who opens the channel at that very moment has their marker in Postgres by then, and is told nothing. Seconds. */
const PUSH_DELAY_SECONDS = 3;

/**
 * Notes each notice for each subscription of its user, once however often it is told (G2). The subscriptions stay locked until the transaction ends: who sends to one of them
 * meanwhile finds what was noted before it says that nothing waits.
 */
export async function notePushes(tx: AnySql, notices: readonly NotedNotice[], delaySeconds = PUSH_DELAY_SECONDS): Promise<void> {
  if (notices.length === 0) return;
  await tx`
    WITH n AS MATERIALIZED (
      SELECT r.id, r.user_id, r.seq, r.at FROM jsonb_to_recordset(${JSON.stringify(notices)}::text::jsonb) AS r (id uuid, user_id uuid, seq bigint, at timestamptz)
    ), wanted AS MATERIALIZED (
      SELECT s.id, s.user_id, s.created_at FROM push_subscriptions s WHERE s.user_id IN (SELECT n.user_id FROM n) ORDER BY s.id FOR NO KEY UPDATE
    ), noted AS (
      INSERT INTO pushes (subscription_id, notice_id, notice_seq, created_at)
      SELECT w.id, n.id, n.seq, now() FROM n JOIN wanted w ON w.user_id = n.user_id AND n.at >= greatest(w.created_at - make_interval(secs => ${SKEW_SECONDS}), now() - make_interval(secs => ${PUSH_NEWS_SECONDS}))
      ON CONFLICT (subscription_id, notice_id) DO NOTHING RETURNING subscription_id
    )
    UPDATE push_subscriptions s SET due_at = coalesce(s.due_at, now() + make_interval(secs => ${delaySeconds}::float8)) WHERE s.id IN (SELECT d.subscription_id FROM noted d)`;
}

/** A browser to which its claimer is to send what waits. */
export interface ClaimedSubscription {
  readonly id: string;
  readonly user_id: string;
  readonly endpoint: string;
  readonly host: string;
  readonly p256dh: Uint8Array;
  readonly auth: Uint8Array;
  /** Attempts that have failed one after the other. */
  readonly failures: number;
}

export interface PushClaim {
  /** Names the claim: what ends it must bear it. */
  readonly lease: string;
  /** Milliseconds until somebody else may send to what this claim takes. */
  readonly leaseMs: number;
  readonly most: number;
}

/** Takes subscriptions for which something is due, the longest due first, by Postgres' clock. What another process is claiming, or the notifier noting for, is passed over. */
export async function claimSubscriptions(sql: AnySql, { lease, leaseMs, most }: PushClaim): Promise<ClaimedSubscription[]> {
  return await sql<ClaimedSubscription[]>`
    WITH due AS MATERIALIZED (SELECT s.id FROM push_subscriptions s WHERE s.due_at <= now() ORDER BY s.due_at LIMIT ${most} FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE push_subscriptions s SET lease = ${lease}::uuid, due_at = now() + make_interval(secs => ${leaseMs / 1_000}) FROM due d WHERE s.id = d.id
    RETURNING s.id, s.user_id, s.endpoint, s.host, s.p256dh, s.auth, s.failures`;
}

export interface WaitingPush {
  readonly notice_id: string;
  readonly notice_seq: number;
}

export interface WaitingBounds {
  /** What was noted before is dropped: nobody wants to hear of it any more. Seconds. */
  readonly maxAgeSeconds: number;
  /** The newest so many are kept; older ones are dropped. */
  readonly mostWaiting: number;
  readonly most: number;
}

/** What waits for a subscription, the oldest first, and how many were dropped for being too old, or too many (G8). */
export async function takeWaiting(sql: AnySql, subscriptionId: string, { maxAgeSeconds, mostWaiting, most }: WaitingBounds): Promise<{ readonly pushes: WaitingPush[]; readonly dropped: number }> {
  const dropped = await sql`
    UPDATE pushes p SET status = 'dropped' WHERE p.subscription_id = ${subscriptionId} AND p.status = 'pending' AND (
      p.created_at < now() - make_interval(secs => ${maxAgeSeconds}) OR p.notice_seq <= (
        SELECT o.notice_seq FROM pushes o WHERE o.subscription_id = ${subscriptionId} AND o.status = 'pending' ORDER BY o.notice_seq DESC OFFSET ${mostWaiting} LIMIT 1))`;
  const pushes = await sql<WaitingPush[]>`
    SELECT p.notice_id, p.notice_seq::float8 AS notice_seq FROM pushes p WHERE p.subscription_id = ${subscriptionId} AND p.status = 'pending' ORDER BY p.notice_seq LIMIT ${most}`;
  return { pushes, dropped: dropped.count };
}

/** A notice of which a browser is to be told, if its user still is. */
export interface PushedNotice extends NoticeToSend, StoredQuietHours {
  readonly id: string;
  readonly quiet: boolean;
  /** The subscription's credential has access. */
  readonly is_live: boolean;
}

/** Null: the notice is gone, or a restore has undone it. */
export async function readPushedNotice(sql: AnySql, subscriptionId: string, { notice_id, notice_seq }: WaitingPush): Promise<PushedNotice | null> {
  const [row] = await sql<PushedNotice[]>`
    SELECT n.id, ${noticeColumns(sql)}, n.quiet, coalesce(k.revoked_at IS NULL AND k.expires_at > now() AND u.deactivated_at IS NULL, false) AS is_live,
      g.quiet_start, g.quiet_end, g.quiet_zone, g.quiet_weekdays
    FROM push_subscriptions s
    JOIN notifications n ON n.user_id = s.user_id AND n.seq = ${notice_seq} AND n.id = ${notice_id}
    JOIN users u ON u.id = s.user_id
    LEFT JOIN credentials k ON k.id = s.credential_id
    ${noticeJoins(sql)}
    WHERE s.id = ${subscriptionId}`;
  return row ?? null;
}

/** At once, also where the lease is over: what was sent was sent. */
export async function settlePush(sql: AnySql, subscriptionId: string, noticeId: string, status: 'sent' | 'dropped'): Promise<void> {
  await sql`UPDATE pushes SET status = ${status} WHERE subscription_id = ${subscriptionId} AND notice_id = ${noticeId} AND status = 'pending'`;
}

/** How a claim ends. `failures`: attempts that have failed one after the other by now; null: as many as before. Nothing is sent before `afterMs` are over. */
export interface PushRelease {
  readonly lease: string;
  readonly failures: number | null;
  readonly afterMs: number;
}

/** Gives a subscription back, unless somebody else has it by now. In a transaction: what is noted meanwhile waits for it, or is seen. Returns for how many milliseconds every attempt has failed. */
export async function releaseSubscription(tx: postgres.TransactionSql, id: string, { lease, failures, afterMs }: PushRelease): Promise<number> {
  const held = await tx`SELECT FROM push_subscriptions s WHERE s.id = ${id} AND s.lease = ${lease}::uuid FOR NO KEY UPDATE`;
  if (held.count === 0) return 0;
  const [row] = await tx<[{ failing_ms: number }]>`
    UPDATE push_subscriptions s SET lease = NULL,
      failures = coalesce(${failures}::integer, s.failures),
      failing_since = CASE WHEN ${failures}::integer IS NULL THEN s.failing_since WHEN ${failures}::integer = 1 THEN now() WHEN ${failures}::integer > 1 THEN coalesce(s.failing_since, now()) END,
      due_at = CASE WHEN EXISTS (SELECT FROM pushes p WHERE p.subscription_id = s.id AND p.status = 'pending') THEN now() + make_interval(secs => ${afterMs / 1_000}) END
    WHERE s.id = ${id} RETURNING coalesce(extract(epoch FROM now() - s.failing_since) * 1000, 0)::float8 AS failing_ms`;
  return row.failing_ms;
}

/** With all that waits for it. */
export async function dropSubscription(sql: AnySql, id: string): Promise<void> {
  await sql`DELETE FROM push_subscriptions WHERE id = ${id}`;
}

/** When what is due longest was due, in epoch milliseconds; null: nothing is. Those that fail wait for their next attempt, and are not due. */
export async function readOldestDuePush(sql: AnySql): Promise<number | null> {
  const [row] = await sql<[{ oldest: number | null }]>`SELECT (extract(epoch FROM min(s.due_at)) * 1000)::float8 AS oldest FROM push_subscriptions s WHERE s.due_at <= now()`;
  return row.oldest;
}

/** Deletes at most `most` pushes that were noted before, settled or not, and so many subscriptions whose credential has ended. Whether there may be more. */
export async function purgePushes(sql: AnySql, before: Date, most: number): Promise<boolean> {
  const pushes = await sql`
    DELETE FROM pushes p USING (SELECT o.subscription_id, o.notice_id FROM pushes o WHERE o.created_at < ${before.toISOString()}::timestamptz ORDER BY o.created_at LIMIT ${most}) o
    WHERE p.subscription_id = o.subscription_id AND p.notice_id = o.notice_id`;
  const ended = await sql`
    DELETE FROM push_subscriptions WHERE id IN (
      SELECT s.id FROM push_subscriptions s JOIN credentials k ON k.id = s.credential_id WHERE k.revoked_at IS NOT NULL OR k.expires_at <= now() LIMIT ${most})`;
  return pushes.count === most || ended.count === most;
}
