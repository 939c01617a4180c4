import { sql, type SQL } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { Outcome } from '../../protocol/errors.ts';
import { MAX_PUSH_SUBSCRIPTIONS, type PushSubscriptionInfo } from '../../protocol/push.ts';
import { toHex } from '../bytes.ts';
import type { Queryable, Transaction } from '../client.ts';
import { callerRow } from './access.ts';
import { wireTime } from './time.ts';

/** A browser as it is kept. `endpoint` as the URL parser writes it. */
export interface PushTarget {
  readonly endpoint: string;
  readonly host: string;
  readonly p256dh: Uint8Array;
  readonly auth: Uint8Array;
}

export interface PushCaller {
  readonly credential_id: string;
  readonly user_id: string;
}

type Row = PushSubscriptionInfo & { [column: string]: unknown };

/** Whether the credential that made a subscription still has access; its user's deactivation revokes it. */
const isLive = sql`EXISTS (SELECT FROM credentials k WHERE k.id = s.credential_id AND k.revoked_at IS NULL AND k.expires_at > now())`;
const columns = (credentialId: string): SQL => sql`s.id, s.host, s.credential_id = ${credentialId} AS current, ${wireTime(sql`s.created_at`)} AS created_at`;
const toInfo = ({ id, host, current, created_at }: Row): PushSubscriptionInfo => ({ id, host, current, created_at });

/** The caller's, in the order in which they were made. */
export async function listPushSubscriptions(db: Queryable, credentialId: string): Promise<Outcome<PushSubscriptionInfo[]>> {
  const rows = await db.execute<Row>(sql`
    SELECT ${columns(credentialId)} FROM (${callerRow(credentialId)}) me LEFT JOIN push_subscriptions s ON s.user_id = me.id AND ${isLive} ORDER BY s.id`);
  return rows.length === 0 ? { problem: { code: 'unauthenticated' } } : { ok: rows.filter(({ id }) => id !== null).map(toInfo) };
}

/**
 * Makes a subscription of the caller's credential, or makes one that is there already anew. A browser in which somebody else was subscribed is the caller's from now on, and is told of
 * nothing that was for them: who shows its keys has it in hands; with other keys it is a `conflict`. `limit_reached`: one more than a user may have.
 */
export async function putPushSubscription(tx: Transaction, { credential_id, user_id }: PushCaller, target: PushTarget, now: Date): Promise<Outcome<PushSubscriptionInfo>> {
  // The lock of a deactivation, too: either that revokes this credential first, or this comes before it and ends with it.
  await tx.execute(sql`SELECT FROM users u WHERE u.id = ${user_id} FOR NO KEY UPDATE`);
  const [me] = await tx.execute(callerRow(credential_id));
  if (!me) return { problem: { code: 'unauthenticated' } };
  await tx.execute(sql`DELETE FROM push_subscriptions s WHERE (s.user_id = ${user_id} OR s.endpoint = ${target.endpoint}) AND NOT ${isLive}`);
  const [p256dh, auth] = [sql`decode(${toHex(target.p256dh)}, 'hex')`, sql`decode(${toHex(target.auth)}, 'hex')`];
  const [held] = await tx.execute<{ id: string; is_mine: boolean; is_known: boolean }>(sql`
    SELECT s.id, s.user_id = ${user_id} AS is_mine, s.p256dh = ${p256dh} AND s.auth = ${auth} AS is_known
    FROM push_subscriptions s WHERE s.endpoint = ${target.endpoint} FOR UPDATE`);
  if (held && !held.is_mine && !held.is_known) return { problem: { code: 'conflict', detail: 'the endpoint is known with other keys' } };
  if (held?.is_mine) {
    const [row] = await tx.execute<Row>(sql`
      UPDATE push_subscriptions s SET credential_id = ${credential_id}, p256dh = ${p256dh}, auth = ${auth}, failures = 0, failing_since = NULL,
        due_at = CASE WHEN s.lease IS NULL AND s.due_at IS NOT NULL THEN now() ELSE s.due_at END
      WHERE s.id = ${held.id}
      RETURNING ${columns(credential_id)}`);
    return row ? { ok: toInfo(row) } : { problem: { code: 'conflict' } };
  }
  if (held) await tx.execute(sql`DELETE FROM push_subscriptions s WHERE s.id = ${held.id}`);
  const [count] = await tx.execute<{ n: number }>(sql`SELECT count(*)::integer AS n FROM push_subscriptions s WHERE s.user_id = ${user_id}`);
  if ((count?.n ?? 0) >= MAX_PUSH_SUBSCRIPTIONS) return { problem: { code: 'limit_reached', detail: `A user has ${MAX_PUSH_SUBSCRIPTIONS} push subscriptions at most` } };
  const [row] = await tx.execute<Row>(sql`
    INSERT INTO push_subscriptions AS s (id, user_id, credential_id, endpoint, host, p256dh, auth, created_at)
    VALUES (${uuidv7()}, ${user_id}, ${credential_id}, ${target.endpoint}, ${target.host}, ${p256dh}, ${auth}, ${now.toISOString()}::timestamptz)
    ON CONFLICT (endpoint) DO NOTHING RETURNING ${columns(credential_id)}`);
  return row ? { ok: toInfo(row) } : { problem: { code: 'conflict', detail: 'the endpoint is being subscribed by another request' } };
}

/** Nothing more is sent there but what is on the wire. Of others' it says what it says of none. */
export async function deletePushSubscription(tx: Transaction, credentialId: string, id: string): Promise<Outcome<null>> {
  const [me] = await tx.execute<{ id: string }>(callerRow(credentialId));
  if (!me) return { problem: { code: 'unauthenticated' } };
  const deleted = await tx.execute(sql`DELETE FROM push_subscriptions s WHERE s.id = ${id} AND s.user_id = ${me.id} RETURNING s.id`);
  return deleted.length === 0 ? { problem: { code: 'not_found' } } : { ok: null };
}
