import { and, eq, sql, type SQL } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { Avatar, Profile, User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import type { Asking } from '../in-one-statement.ts';
import { users } from '../schema/tables.ts';
import { callerRow } from './access.ts';
import { avatarOf, userColumns } from './avatar-column.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { isFormerHandle } from './handles.ts';

const profile = { id: users.id, handle: users.handle, display_name: users.display_name, role: users.role, avatar: sql<Avatar | null>`${avatarOf(sql`users`)}` };

/** Columns of `Profile`, of the user `u`. */
export const profileColumns: SQL = sql`${userColumns(sql`u`)}, u.title, u.pronouns, u.time_zone, u.bot_owner_id IS NOT NULL AS is_bot,
  u.deactivated_at IS NOT NULL AS deactivated, u.version`;

export function toProfile({ id, handle, display_name, role, avatar, title, pronouns, time_zone, is_bot, deactivated, version }: Profile): Profile {
  return { id, handle, display_name, role, avatar, title, pronouns, time_zone, is_bot, deactivated, version };
}

type ProfileRow = { [K in keyof Profile]: Profile[K] };

export async function findUser(db: Queryable, id: string): Promise<Profile | null> {
  const [user] = await db.execute<ProfileRow>(sql`SELECT ${profileColumns} FROM users u WHERE u.id = ${id}`);
  return user ? toProfile(user) : null;
}

/** The same for the caller, read through the credential. */
export async function findMyProfile(db: Queryable, credentialId: string): Promise<Outcome<Profile>> {
  const [me] = await db.execute<ProfileRow>(sql`SELECT ${profileColumns} FROM (${callerRow(credentialId)}) me JOIN users u ON u.id = me.id`);
  return me ? { ok: toProfile(me) } : { problem: { code: 'unauthenticated' } };
}

/** Whether the caller may know of a user: everybody may, but guests of those alone with whom they share a channel. */
export async function maySeeUser(db: Queryable, credentialId: string, userId: string): Promise<Outcome<boolean>> {
  const [me] = await db.execute<{ seen: boolean }>(sql`SELECT ${isSeenBy(sql`me`, sql`${userId}::uuid`)} AS seen FROM (${callerRow(credentialId)}) me`);
  return me ? { ok: me.seen } : { problem: { code: 'unauthenticated' } };
}

/** The condition of `maySeeUser`, for whoever else lists users. `me` as of `callerRow`. */
export const isSeenBy = (me: SQL, userId: SQL): SQL => sql`(${me}.role <> 'guest' OR ${userId} = ${me}.id OR EXISTS (
  SELECT FROM members mine JOIN members theirs ON theirs.channel_id = mine.channel_id AND theirs.user_id = ${userId} WHERE mine.user_id = ${me}.id))`;

/** The caller's own profile, read through the credential. */
export async function findMe(db: Asking, credentialId: string): Promise<Outcome<User>> {
  const [me] = await db.execute<{ [K in keyof User]: User[K] }>(sql`
    SELECT ${userColumns(sql`u`)} FROM (${callerRow(credentialId)}) me JOIN users u ON u.id = me.id`);
  return me ? { ok: { ...me } } : { problem: { code: 'unauthenticated' } };
}

/** Everybody the caller shares a channel with, the caller among them; at most `limit`. */
export async function listCoMembers(db: Asking, credentialId: string, limit: number): Promise<User[]> {
  const rows = await db.execute<{ [K in keyof User]: User[K] }>(sql`
    SELECT ${userColumns(sql`u`)} FROM users u
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
  /** The address that the provider has verified; null: none; absent: it says nothing of one. */
  readonly email?: string | null | undefined;
}

export interface SignedIn {
  readonly user: User;
  readonly created: boolean;
}

/**
 * The user of (issuer, subject), made or brought up to date. `forbidden` for a deactivated one, `conflict` where every handle is taken. Where it is not
 * `isOpen` who is new is a guest of nothing, until an invitation or an administrator admits them.
 */
export async function signIn(tx: Transaction, identity: SignIn, now: Date, isOpen = true): Promise<Outcome<SignedIn>> {
  const known = await findBySubject(tx, identity);
  if (known) return known.deactivated_at === null ? { ok: { user: await refresh(tx, known, identity, now), created: false } } : { problem: { code: 'forbidden' } };
  for (const handle of identity.handles) {
    const user = await insertUser(tx, identity, handle, now, isOpen);
    if (user) return { ok: { user, created: true } };
    // Either the handle is taken, or the same person signs in twice at once and the other transaction has won.
    if (await findBySubject(tx, identity)) return signIn(tx, identity, now, isOpen);
  }
  return { problem: { code: 'conflict', detail: 'no handle is free for this name' } };
}

type KnownUser = User & { version: number; deactivated_at: Date | null; is_self_named: boolean };

/** Locked: a deactivation that runs at the same time is either seen here, or sees the credential that follows. */
async function findBySubject(tx: Transaction, { issuer, subject }: SignIn): Promise<KnownUser | undefined> {
  const [user] = await tx
    .select({ ...profile, version: users.version, deactivated_at: users.deactivated_at, is_self_named: users.is_self_named })
    .from(users)
    .where(and(eq(users.issuer, issuer), eq(users.subject, subject)))
    .for('no key update');
  return user;
}

async function insertUser(tx: Transaction, identity: SignIn, handle: string, now: Date, isOpen: boolean): Promise<User | undefined> {
  const { issuer, subject, display_name } = identity;
  const [user] = await tx
    .insert(users)
    .values({ id: uuidv7(), issuer, subject, handle, display_name, created_at: now, is_admitted: isOpen, role: isOpen ? 'member' : 'guest' })
    .onConflictDoNothing()
    .returning(profile);
  if (user && (await isFormerHandle(tx, handle))) {
    await tx.delete(users).where(eq(users.id, user.id));
    return undefined;
  }
  if (user) await appendDirectoryEvent(tx, { type: 'user.created', id: uuidv7(), at: now.toISOString(), actor_id: user.id, user, version: 1 });
  return user;
}

/** The provider decides the displayed name, until the user does; the handle stays, because others have written it down. */
async function refresh(tx: Transaction, known: KnownUser, { display_name, unnamed }: SignIn, now: Date): Promise<User> {
  const { version, deactivated_at: _, is_self_named, ...user } = known;
  if (unnamed || is_self_named || user.display_name === display_name) return user;
  const renamed = { ...user, display_name };
  await tx.update(users).set({ display_name, version: version + 1 }).where(eq(users.id, user.id));
  await appendDirectoryEvent(tx, { type: 'user.updated', id: uuidv7(), at: now.toISOString(), actor_id: user.id, user: renamed, version: version + 1 });
  return renamed;
}
