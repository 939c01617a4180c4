import { and, eq, sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import { users } from '../schema/tables.ts';
import { callerRow } from './access.ts';
import { appendDirectoryEvent } from './directory-events.ts';

const profile = { id: users.id, handle: users.handle, display_name: users.display_name, role: users.role };

export async function findUser(db: Queryable, id: string): Promise<User | null> {
  const [user] = await db.select(profile).from(users).where(eq(users.id, id));
  return user ?? null;
}

/** The caller's own profile, read through the credential. */
export async function findMe(db: Queryable, credentialId: string): Promise<Outcome<User>> {
  const [me] = await db.execute<{ [K in keyof User]: User[K] }>(sql`
    SELECT u.id, u.handle, u.display_name, u.role FROM (${callerRow(credentialId)}) me JOIN users u ON u.id = me.id`);
  return me ? { ok: { ...me } } : { problem: { code: 'unauthenticated' } };
}

/** Everybody the caller shares a channel with, the caller among them; at most `limit`. */
export async function listCoMembers(db: Queryable, credentialId: string, limit: number): Promise<User[]> {
  const rows = await db.execute<{ [K in keyof User]: User[K] }>(sql`
    SELECT u.id, u.handle, u.display_name, u.role FROM users u
    WHERE u.id IN (
      SELECT m.user_id FROM (${callerRow(credentialId)}) me JOIN members mine ON mine.user_id = me.id JOIN members m ON m.channel_id = mine.channel_id
      UNION SELECT me.id FROM (${callerRow(credentialId)}) me
    )
    ORDER BY u.handle LIMIT ${limit}`);
  return rows.map((row) => ({ ...row }));
}

/** Who the identity provider says someone is. `handles` are tried in order until one is free. */
export interface SignIn {
  readonly issuer: string;
  readonly subject: string;
  readonly handles: Iterable<string>;
  readonly display_name: string;
  /** The provider does not say what they are called: the displayed name is a stand-in, for someone new. */
  readonly unnamed?: boolean;
}

export interface SignedIn {
  readonly user: User;
  readonly created: boolean;
}

/** The user of (issuer, subject), made or brought up to date. `forbidden` for a deactivated one, `conflict` where every handle is taken. */
export async function signIn(tx: Transaction, identity: SignIn, now: Date): Promise<Outcome<SignedIn>> {
  const known = await findBySubject(tx, identity);
  if (known) return known.deactivated_at === null ? { ok: { user: await refresh(tx, known, identity, now), created: false } } : { problem: { code: 'forbidden' } };
  for (const handle of identity.handles) {
    const user = await insertUser(tx, identity, handle, now);
    if (user) return { ok: { user, created: true } };
    // Either the handle is taken, or the same person signs in twice at once and the other transaction has won.
    if (await findBySubject(tx, identity)) return signIn(tx, identity, now);
  }
  return { problem: { code: 'conflict', detail: 'no handle is free for this name' } };
}

type KnownUser = User & { version: number; deactivated_at: Date | null };

/** Locked: a deactivation that runs at the same time is either seen here, or sees the credential that follows. */
async function findBySubject(tx: Transaction, { issuer, subject }: SignIn): Promise<KnownUser | undefined> {
  const [user] = await tx
    .select({ ...profile, version: users.version, deactivated_at: users.deactivated_at })
    .from(users)
    .where(and(eq(users.issuer, issuer), eq(users.subject, subject)))
    .for('no key update');
  return user;
}

async function insertUser(tx: Transaction, identity: SignIn, handle: string, now: Date): Promise<User | undefined> {
  const { issuer, subject, display_name } = identity;
  const [user] = await tx
    .insert(users)
    .values({ id: uuidv7(), issuer, subject, handle, display_name, created_at: now })
    .onConflictDoNothing()
    .returning(profile);
  if (user) await appendDirectoryEvent(tx, { type: 'user.created', id: uuidv7(), at: now.toISOString(), actor_id: user.id, user, version: 1 });
  return user;
}

/** The provider decides the displayed name; the handle stays, because others have written it down. */
async function refresh(tx: Transaction, known: KnownUser, { display_name, unnamed }: SignIn, now: Date): Promise<User> {
  const { version, deactivated_at: _, ...user } = known;
  if (unnamed || user.display_name === display_name) return user;
  const renamed = { ...user, display_name };
  await tx.update(users).set({ display_name, version: version + 1 }).where(eq(users.id, user.id));
  await appendDirectoryEvent(tx, { type: 'user.updated', id: uuidv7(), at: now.toISOString(), actor_id: user.id, user: renamed, version: version + 1 });
  return renamed;
}
