import { and, eq, gt, isNull, ne, type SQL, sql } from 'drizzle-orm';
import type postgres from 'postgres';
import { uuidv7 } from 'uuidv7';
import type { NamedUser } from '../../protocol/api.ts';
import type { CredentialKind } from '../../protocol/credentials.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import type { RevokedAccess } from './deactivation.ts';
import { credentials, members, users } from '../schema/tables.ts';
import { callerRow } from './access.ts';
import { recordAct } from './audit.ts';
import { appendDirectoryEvent } from './directory-events.ts';

export interface FoundCredential {
  readonly id: string;
  readonly kind: CredentialKind;
  readonly scopes: readonly string[];
  readonly expires_at: Date;
  /** To the hour. */
  readonly last_used_at: Date | null;
  readonly user: NamedUser;
}

/** The live credential of a secret, with its user; null for one unknown, revoked or of a deactivated user. Expiry is the caller's to check. */
export async function findCredential(db: Queryable, secretHash: Uint8Array): Promise<FoundCredential | null> {
  const [row] = await db
    .select({
      id: credentials.id,
      kind: credentials.kind,
      scopes: credentials.scopes,
      expires_at: credentials.expires_at,
      last_used_at: credentials.last_used_at,
      user: { id: users.id, handle: users.handle, display_name: users.display_name, role: users.role },
    })
    .from(credentials)
    .innerJoin(users, eq(users.id, credentials.user_id))
    .where(and(eq(credentials.secret_hash, secretHash), isNull(credentials.revoked_at), isNull(users.deactivated_at)));
  return row ?? null;
}

export interface NewCredential {
  readonly id: string;
  readonly secret_hash: Uint8Array;
  readonly kind: CredentialKind;
  readonly user_id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expires_at: Date;
}

export async function insertCredential(db: Queryable, credential: NewCredential): Promise<void> {
  await db.insert(credentials).values(rowOf(credential));
}

/** The same for a secret that others may have made: a second time nothing is written. */
export async function ensureCredential(db: Queryable, credential: NewCredential): Promise<void> {
  await db.insert(credentials).values(rowOf(credential)).onConflictDoNothing({ target: credentials.secret_hash });
}

const rowOf = (credential: NewCredential) => ({ ...credential, scopes: [...credential.scopes] });

const HOUR_MS = 3_600_000;

/** Notes that a credential is in use, once an hour. */
export async function touchCredential(db: Queryable, { id, last_used_at }: FoundCredential, now: Date): Promise<void> {
  if (last_used_at !== null && now.getTime() - last_used_at.getTime() < HOUR_MS) return;
  await db.update(credentials).set({ last_used_at: now }).where(eq(credentials.id, id));
}

/** Of the events that tell of it. */
export interface Revocation {
  readonly now: Date;
  readonly traceparent: string | null;
}

/**
 * Revokes the credential of a secret, and says so in the outbox; null for an unknown one. Repeating it keeps the first moment and answers the same, so that
 * the telling can be repeated.
 */
export function revokeCredential(tx: Transaction, secretHash: Uint8Array, revocation: Revocation): Promise<RevokedAccess | null> {
  return revoke(tx, eq(credentials.secret_hash, secretHash), revocation);
}

/** The same for one of this id, whoever asks for it; the act is theirs to record. */
export function revokeById(tx: Transaction, id: string, revocation: Revocation): Promise<RevokedAccess | null> {
  return revoke(tx, eq(credentials.id, id), revocation, async () => {});
}

/** The same for one of the caller's own, by its id. `not_found` for one that is another's, or nobody's. */
export async function revokeOwn(tx: Transaction, callerCredentialId: string, id: string, revocation: Revocation): Promise<Outcome<RevokedAccess>> {
  const [me] = await tx.execute<{ id: string }>(callerRow(callerCredentialId));
  // Who has revoked the credential they are using may repeat it only with another.
  if (!me) return { problem: { code: 'unauthenticated' } };
  const revoked = await revoke(tx, and(eq(credentials.id, id), eq(credentials.user_id, me.id)), revocation);
  return revoked ? { ok: revoked } : { problem: { code: 'not_found' } };
}

/** The same for all sessions of the caller but the one in use; for their tokens too where `tokens` is set. Null: there was none left, nor one that was revoked and has not ended. */
export async function revokeOthers(tx: Transaction, callerCredentialId: string, tokens: boolean, revocation: Revocation): Promise<Outcome<RevokedAccess | null>> {
  const [me] = await tx.execute<{ id: string }>(callerRow(callerCredentialId));
  if (!me) return { problem: { code: 'unauthenticated' } };
  const others = and(eq(credentials.user_id, me.id), ne(credentials.id, callerCredentialId), gt(credentials.expires_at, sql`now()`));
  return { ok: await revoke(tx, tokens ? others : and(others, eq(credentials.kind, 'session')), revocation) };
}

type Revoked = Pick<FoundCredential, 'id' | 'kind'> & { readonly user_id: string };

const recordRevoked = (tx: Transaction, { id, user_id, kind }: Revoked): Promise<void> =>
  recordAct(tx, { act: 'credential.revoked', target: ['credential', id], details: { user_id, kind } }, { actorId: user_id });

/** All that `which` selects, of one user. */
async function revoke(tx: Transaction, which: SQL | undefined, { now, traceparent }: Revocation, record = recordRevoked): Promise<RevokedAccess | null> {
  const revoked = await tx
    .update(credentials)
    .set({ revoked_at: now })
    .where(and(which, isNull(credentials.revoked_at)))
    .returning({ id: credentials.id, user_id: credentials.user_id, kind: credentials.kind });
  for (const credential of revoked) {
    const { id: credential_id, user_id } = credential;
    await record(tx, credential);
    await appendDirectoryEvent(tx, { type: 'user.credential_revoked', id: uuidv7(), at: now.toISOString(), actor_id: user_id, user_id, credential_id }, traceparent);
  }
  const [first, ...more] = await tx.select({ id: credentials.id, user_id: credentials.user_id, expires_at: credentials.expires_at }).from(credentials).where(which);
  if (!first) return null;
  const joined = await tx.select({ channel_id: members.channel_id }).from(members).where(eq(members.user_id, first.user_id));
  return { user_id: first.user_id, credentials: [first, ...more], channel_ids: joined.map(({ channel_id }) => channel_id) };
}

/** Deletes credentials that ended so many days ago: nobody can use them, and nobody asks after them any more. Bounded; returns how many. */
export async function purgeEndedCredentials(sql: postgres.Sql, days: number, limit: number): Promise<number> {
  const purged = await sql`
    DELETE FROM credentials c WHERE c.id IN (
      SELECT e.id FROM credentials e WHERE e.expires_at < now() - make_interval(days => ${days}::integer) ORDER BY e.expires_at LIMIT ${limit}::integer)`;
  return purged.count;
}
