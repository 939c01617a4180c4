import { and, eq, gte, lt, sql } from 'drizzle-orm';
import type { Queryable, Sql, Transaction } from '../client.ts';
import { idempotencyKeys } from '../schema/tables.ts';

/** A request with an Idempotency-Key. `fingerprint` is a hash of its query and its body. */
export interface KeyedRequest {
  readonly user_id: string;
  readonly method: string;
  /** The path, without query. */
  readonly route: string;
  readonly key: string;
  readonly fingerprint: Uint8Array;
}

/** An answer that stands; `body` null for an empty one. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: string | null;
}

export type Claim =
  /** Go on: the key is held until the transaction ends. */
  | { readonly state: 'first' }
  | { readonly state: 'in_flight' }
  | { readonly state: 'mismatch' }
  | { readonly state: 'done'; readonly answer: KeptAnswer };

const KEPT_MS = 86_400_000;

type KeyOf = Pick<KeyedRequest, 'user_id' | 'method' | 'route' | 'key'>;

const sameKey = ({ user_id, method, route, key }: KeyOf) =>
  and(eq(idempotencyKeys.user_id, user_id), eq(idempotencyKeys.method, method), eq(idempotencyKeys.route, route), eq(idempotencyKeys.key, key));

/** Whether a request of this key has its answer: for routes that know their fingerprint only once they have read all of a long body. */
export async function findKept(db: Queryable, request: KeyOf, now: Date): Promise<boolean> {
  const young = gte(idempotencyKeys.created_at, new Date(now.getTime() - KEPT_MS));
  return (await db.select({ status: idempotencyKeys.status }).from(idempotencyKeys).where(and(sameKey(request), young))).length > 0;
}

/** Begins the transaction of a keyed request. A key is kept for 24 hours. An advisory lock tells a running request without waiting for it; another repetition of one that is over holds it, too. */
export async function claimKey(tx: Transaction, request: KeyedRequest, now: Date): Promise<Claim> {
  const name = JSON.stringify([request.user_id, request.method, request.route, request.key]);
  const [lock] = await tx.execute<{ held: boolean }>(sql`SELECT pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) AS held`);
  const since = new Date(now.getTime() - KEPT_MS);
  if (lock?.held) await tx.delete(idempotencyKeys).where(and(sameKey(request), lt(idempotencyKeys.created_at, since)));
  const [kept] = await tx
    .select({ fingerprint: idempotencyKeys.fingerprint, status: idempotencyKeys.status, body: idempotencyKeys.body })
    .from(idempotencyKeys)
    .where(and(sameKey(request), gte(idempotencyKeys.created_at, since)));
  if (!kept || kept.status === null) return { state: lock?.held ? 'first' : 'in_flight' };
  const same = kept.fingerprint.length === request.fingerprint.length && kept.fingerprint.every((byte, at) => byte === request.fingerprint[at]);
  return same ? { state: 'done', answer: { status: kept.status, body: kept.body } } : { state: 'mismatch' };
}

/** Ends it: the answer is kept in the transaction of the effect, so there is never one without the other (G2). */
export async function keepAnswer(tx: Transaction, request: KeyedRequest, answer: KeptAnswer, now: Date): Promise<void> {
  await tx.insert(idempotencyKeys).values({ ...request, ...answer, created_at: now });
}

/** Deletes up to `most` answers that nobody is given any more; returns how many it did. */
export async function purgeKeys(sql: Sql, most: number): Promise<number> {
  const purged = await sql`
    DELETE FROM idempotency_keys WHERE (user_id, method, route, key) IN (
      SELECT o.user_id, o.method, o.route, o.key FROM idempotency_keys o WHERE o.created_at < now() - interval '24 hours' ORDER BY o.created_at LIMIT ${most}
      FOR UPDATE SKIP LOCKED)`;
  return purged.count;
}
