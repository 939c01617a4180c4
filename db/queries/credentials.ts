import { and, eq, isNull } from 'drizzle-orm';
import type { User } from '../../protocol/api.ts';
import type { Queryable } from '../client.ts';
import type { RevokedAccess } from './deactivation.ts';
import { credentials, members, users } from '../schema/tables.ts';

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

/** Revokes the credential of a secret; null for an unknown one. Repeating it keeps the first moment and answers the same, so that the telling can be repeated. */
export async function revokeCredential(db: Queryable, secretHash: Uint8Array, now: Date): Promise<RevokedAccess | null> {
  await db
    .update(credentials)
    .set({ revoked_at: now })
    .where(and(eq(credentials.secret_hash, secretHash), isNull(credentials.revoked_at)));
  const [credential] = await db
    .select({ id: credentials.id, user_id: credentials.user_id, expires_at: credentials.expires_at })
    .from(credentials)
    .where(eq(credentials.secret_hash, secretHash));
  if (!credential) return null;
  const joined = await db.select({ channel_id: members.channel_id }).from(members).where(eq(members.user_id, credential.user_id));
  return { user_id: credential.user_id, credentials: [credential], channel_ids: joined.map(({ channel_id }) => channel_id) };
}
