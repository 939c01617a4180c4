import { and, eq, isNull } from 'drizzle-orm';
import type { User } from '../../protocol/api.ts';
import type { Queryable, Transaction } from '../client.ts';
import type { RevokedAccess } from './deactivation.ts';
import { credentials, members, users } from '../schema/tables.ts';
import { appendDirectoryEvent } from './directory-events.ts';

export interface FoundCredential {
  readonly id: string;
  readonly kind: 'session' | 'personal' | 'bot';
  readonly scopes: readonly string[];
  readonly expires_at: Date;
  readonly user: User;
}

/** The live credential of a secret, with its user; null for one unknown, revoked or of a deactivated user. Expiry is the caller's to check. */
export async function findCredential(db: Queryable, secretHash: Uint8Array): Promise<FoundCredential | null> {
  const [row] = await db
    .select({
      id: credentials.id,
      kind: credentials.kind,
      scopes: credentials.scopes,
      expires_at: credentials.expires_at,
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
  readonly kind: FoundCredential['kind'];
  readonly user_id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expires_at: Date;
}

export async function insertCredential(db: Queryable, credential: NewCredential): Promise<void> {
  await db.insert(credentials).values({ ...credential, scopes: [...credential.scopes] });
}

/** Of the event that tells of it. */
export interface Revocation {
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/**
 * Revokes the credential of a secret, and says so in the outbox; null for an unknown one. Repeating it keeps the first moment and answers the same, so that
 * the telling can be repeated.
 */
export async function revokeCredential(tx: Transaction, secretHash: Uint8Array, revocation: Revocation): Promise<RevokedAccess | null> {
  const revoked = await tx
    .update(credentials)
    .set({ revoked_at: revocation.now })
    .where(and(eq(credentials.secret_hash, secretHash), isNull(credentials.revoked_at)))
    .returning({ id: credentials.id, user_id: credentials.user_id });
  for (const credential of revoked) await appendRevoked(tx, credential, revocation);
  const [credential] = await tx
    .select({ id: credentials.id, user_id: credentials.user_id, expires_at: credentials.expires_at })
    .from(credentials)
    .where(eq(credentials.secret_hash, secretHash));
  if (!credential) return null;
  const joined = await tx.select({ channel_id: members.channel_id }).from(members).where(eq(members.user_id, credential.user_id));
  return { user_id: credential.user_id, credentials: [credential], channel_ids: joined.map(({ channel_id }) => channel_id) };
}

async function appendRevoked(tx: Transaction, credential: { id: string; user_id: string }, { eventId: id, now, traceparent }: Revocation): Promise<void> {
  const { id: credential_id, user_id } = credential;
  await appendDirectoryEvent(tx, { type: 'user.credential_revoked', id, at: now.toISOString(), actor_id: user_id, user_id, credential_id }, traceparent);
}
