import type postgres from 'postgres';
import type { DigestMode } from '../../protocol/email.ts';
import { noticeColumns, noticeJoins, type NoticeToSend } from './notices-to-send.ts';

type AnySql = postgres.ISql;

/** A user has so many notices, and some more (`drain_inbox`). */
const MOST_NOTICES = 1_200;

/**
 * Notes that users who want digests have something unread. Their rows stay locked until the transaction ends: who reads their notices meanwhile sees these before they say that nothing is unread.
 */
export async function noteDigests(tx: AnySql, userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return;
  await tx`
    WITH wanted AS MATERIALIZED (
      SELECT e.user_id FROM email_digests e WHERE e.mode <> 'off' AND e.user_id IN (
        SELECT (u.value #>> '{}')::uuid FROM jsonb_array_elements(${JSON.stringify(userIds)}::text::jsonb) u)
      ORDER BY e.user_id FOR NO KEY UPDATE
    )
    UPDATE email_digests e SET due_at = coalesce(e.due_at, now()) FROM wanted w WHERE e.user_id = w.user_id`;
}

export interface DigestClaim {
  /** Names the claim: what ends it must bear it. */
  readonly lease: string;
  /** Milliseconds until somebody else may take what this claim takes. */
  readonly leaseMs: number;
  readonly most: number;
}

/** Users whose notices are to be looked at, the longest due first, by Postgres' clock. */
export async function claimDigests(sql: AnySql, { lease, leaseMs, most }: DigestClaim): Promise<string[]> {
  const rows = await sql<{ user_id: string }[]>`
    WITH due AS MATERIALIZED (SELECT e.user_id FROM email_digests e WHERE e.due_at <= now() ORDER BY e.due_at LIMIT ${most} FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE email_digests e SET lease = ${lease}::uuid, due_at = now() + make_interval(secs => ${leaseMs / 1_000}) FROM due d WHERE e.user_id = d.user_id
    RETURNING e.user_id`;
  return rows.map(({ user_id }) => user_id);
}

/** How a user's digests stand. Times in epoch milliseconds. */
export interface DigestState {
  /** Null: nobody vouches for one, or the user is deactivated. */
  readonly address: string | null;
  readonly mode: DigestMode;
  readonly after_minutes: number;
  readonly daily_hour: number;
  readonly time_zone: string | null;
  readonly mailed_seq: number;
  readonly mailed_at: number | null;
  readonly failures: number;
  readonly digest_id: string | null;
  readonly digest_seq: number | null;
}

export async function readDigestState(sql: AnySql, userId: string): Promise<DigestState | null> {
  const [row] = await sql<DigestState[]>`
    SELECT CASE WHEN u.deactivated_at IS NULL THEN e.address END AS address, e.mode, e.after_minutes, e.daily_hour, u.time_zone, e.mailed_seq::float8 AS mailed_seq,
      (extract(epoch FROM e.mailed_at) * 1000)::float8 AS mailed_at, e.failures, e.digest_id, e.digest_seq::float8 AS digest_seq
    FROM email_digests e JOIN users u ON u.id = e.user_id WHERE e.user_id = ${userId}`;
  return row ?? null;
}

/** A notice that a digest may tell of. */
export interface DigestNotice extends NoticeToSend {
  readonly seq: number;
}

/** Notices that were not mailed yet, the oldest first; up to `until`, or all (null). */
export async function readUnmailed(sql: AnySql, userId: string, after: number, until: number | null): Promise<DigestNotice[]> {
  return await sql<DigestNotice[]>`
    SELECT n.seq::float8 AS seq, ${noticeColumns(sql)}
    FROM notifications n
    ${noticeJoins(sql)}
    WHERE n.user_id = ${userId} AND n.seq > ${after} AND n.seq <= ${until ?? Number.MAX_SAFE_INTEGER} ORDER BY n.seq LIMIT ${MOST_NOTICES}`;
}

/** Names the digest that is to be sent, before it is. False: somebody else has the user by now. */
export async function beginDigest(sql: AnySql, userId: string, { lease, digestId, seq }: { readonly lease: string; readonly digestId: string; readonly seq: number }): Promise<boolean> {
  const begun = await sql`UPDATE email_digests SET digest_id = ${digestId}, digest_seq = ${seq} WHERE user_id = ${userId} AND lease = ${lease}::uuid`;
  return begun.count > 0;
}

/**
 * How a claim ends: `idle`, nothing is to be sent of what was seen up to `seenSeq`; `waiting`, it is looked at again then; `mailed`, or refused for good, which is the same to those who come
 * after; `failed`, the same digest again after so long.
 */
export type DigestRelease =
  | { readonly kind: 'idle'; readonly seenSeq: number }
  | { readonly kind: 'waiting'; readonly at: Date }
  | { readonly kind: 'mailed'; readonly seq: number }
  | { readonly kind: 'failed'; readonly afterMs: number; readonly counts: boolean };

/** Gives a user back, unless somebody else has them by now. In a transaction: what is noted meanwhile waits for it, or is seen. */
export async function releaseDigest(tx: postgres.TransactionSql, userId: string, lease: string, release: DigestRelease): Promise<void> {
  const held = await tx`SELECT FROM email_digests e WHERE e.user_id = ${userId} AND e.lease = ${lease}::uuid FOR NO KEY UPDATE`;
  if (held.count === 0) return;
  switch (release.kind) {
    case 'idle':
      await tx`
        UPDATE email_digests e SET lease = NULL, digest_id = NULL, digest_seq = NULL, failures = 0, due_at = CASE WHEN EXISTS (
          SELECT FROM notifications n WHERE n.user_id = e.user_id AND n.seq > ${release.seenSeq}) THEN now() END
        WHERE e.user_id = ${userId}`;
      break;
    case 'waiting':
      await tx`UPDATE email_digests e SET lease = NULL, due_at = ${release.at.toISOString()}::timestamptz WHERE e.user_id = ${userId}`;
      break;
    case 'mailed':
      await tx`
        UPDATE email_digests e SET lease = NULL, digest_id = NULL, digest_seq = NULL, failures = 0, mailed_seq = greatest(e.mailed_seq, ${release.seq}), mailed_at = now(), due_at = CASE WHEN EXISTS (
          SELECT FROM notifications n WHERE n.user_id = e.user_id AND n.seq > ${release.seq}) THEN now() END
        WHERE e.user_id = ${userId}`;
      break;
    default:
      await tx`
        UPDATE email_digests e SET lease = NULL, failures = e.failures + ${release.counts ? 1 : 0}::integer, due_at = now() + make_interval(secs => ${release.afterMs / 1_000}) WHERE e.user_id = ${userId}`;
  }
}

/** When what is due longest was due, in epoch milliseconds; null: nothing is. */
export async function readOldestDueDigest(sql: AnySql): Promise<number | null> {
  const [row] = await sql<[{ oldest: number | null }]>`SELECT (extract(epoch FROM min(e.due_at)) * 1000)::float8 AS oldest FROM email_digests e WHERE e.due_at <= now()`;
  return row.oldest;
}
