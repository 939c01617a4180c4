import { and, eq, ne, type SQL, sql } from 'drizzle-orm';
import type { Avatar, Member } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { MemberRole } from '../../protocol/events.ts';
import type { Queryable, Transaction } from '../client.ts';
import { channels, formerMembers, members, users } from '../schema/tables.ts';
import { maySee, refuseViewer, standingColumns, standingTables, type Standing } from './access.ts';
import { type Act, recordAct } from './audit.ts';
import { avatarOf, userColumns } from './avatar-column.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { deleteDraftsOfMember } from './drafts.ts';
import { endFollowing } from './threads.ts';
import { wireTime } from './time.ts';

/** Whether someone is a member, as Postgres has it at `version` of the channel's member list. */
export interface Membership {
  readonly role: MemberRole | null;
  readonly version: number;
}

export interface MemberChange {
  readonly channelId: string;
  readonly userId: string;
  readonly actorId: string;
  /** Of the event that tells of the change. */
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** Every change of a member list happens under the lock of the channel's row: call this first. False: no such channel. */
async function lockChannel(tx: Transaction, channelId: string): Promise<boolean> {
  const locked = await tx.select({ id: channels.id }).from(channels).where(eq(channels.id, channelId)).for('update');
  return locked.length > 0;
}

async function bumpVersion(tx: Transaction, channelId: string): Promise<number> {
  const [row] = await tx
    .update(channels)
    .set({ members_version: sql`${channels.members_version} + 1` })
    .where(eq(channels.id, channelId))
    .returning({ version: channels.members_version });
  if (!row) throw new Error('the channel vanished under its lock');
  return row.version;
}

/** What is in the room and not stored yet comes after: it is unread to whoever joins in that moment. */
const newestPos = (channelId: string): SQL<number> => sql`coalesce((SELECT l.drained_pos FROM conversation_logs l WHERE l.channel_id = ${channelId}), 0)`;

/** Adds a member and says so in the outbox. The channel's row is locked, or new. */
export async function insertMember(tx: Transaction, change: MemberChange & { readonly role: MemberRole }): Promise<void> {
  const { channelId, userId, role, now } = change;
  const version = await bumpVersion(tx, channelId);
  await tx.insert(members).values({ channel_id: channelId, user_id: userId, role, version, joined_at: now, joined_pos: newestPos(channelId) });
  await tx.delete(formerMembers).where(and(eq(formerMembers.channel_id, channelId), eq(formerMembers.user_id, userId)));
  await appendDirectoryEvent(tx, { type: 'channel.member_added', ...eventOf(change), role, version }, change.traceparent);
}

/** Removes a member and says so in the outbox. The channel's row is locked. */
export async function deleteMember(tx: Transaction, change: MemberChange): Promise<void> {
  const version = await bumpVersion(tx, change.channelId);
  await tx.delete(members).where(and(eq(members.channel_id, change.channelId), eq(members.user_id, change.userId)));
  await endFollowing(tx, change.channelId, change.userId);
  await deleteDraftsOfMember(tx, change.channelId, change.userId);
  await tx.insert(formerMembers).values({ channel_id: change.channelId, user_id: change.userId, version });
  await appendDirectoryEvent(tx, { type: 'channel.member_removed', ...eventOf(change), version }, change.traceparent);
}

const eventOf = ({ channelId, userId, actorId, eventId, now }: MemberChange) => ({
  id: eventId,
  at: now.toISOString(),
  actor_id: actorId,
  channel_id: channelId,
  user_id: userId,
});

type LockedStanding = Standing & { archived: boolean; [column: string]: unknown };

/** Read after the lock, in a statement of its own: it then sees what the lock's last holder committed. */
export async function standingUnderLock(tx: Transaction, credentialId: string, channelId: string): Promise<LockedStanding | undefined> {
  await lockChannel(tx, channelId);
  const [row] = await tx.execute<LockedStanding>(sql`
    SELECT ${standingColumns}, ch.archived_at IS NOT NULL AS archived FROM ${standingTables(credentialId, channelId)}`);
  return row;
}

/** A member change asked for by the holder of a credential. */
export interface MemberRequest extends MemberChange {
  readonly credentialId: string;
}

/** Whether the member list changed; false where it was so already. */
export type Changed = Outcome<boolean>;
const refused = (problem: Problem): Changed => ({ problem });

/** The caller joins a public channel. */
export async function joinChannel(tx: Transaction, request: MemberRequest): Promise<Changed> {
  const standing = await standingUnderLock(tx, request.credentialId, request.channelId);
  const problem = refuseViewer(standing);
  if (problem || !standing) return refused(problem ?? { code: 'not_found' });
  if (standing.my_role !== null) return { ok: false };
  if (standing.archived) return refused({ code: 'channel_archived' });
  await insertMember(tx, { ...request, role: 'member' });
  return { ok: true };
}

/** The caller leaves; the last owner once they are the last member, or another is made one. Leaving where one is no member changes nothing. */
export async function leaveChannel(tx: Transaction, request: MemberRequest): Promise<Changed> {
  const standing = await standingUnderLock(tx, request.credentialId, request.channelId);
  const problem = refuseViewer(standing);
  if (problem || !standing) return refused(problem ?? { code: 'not_found' });
  if (standing.my_role === null) return { ok: false };
  if (standing.kind === 'direct') return refused(FIXED);
  if (standing.my_role === 'owner' && (await isLastOwner(tx, request))) return refused({ code: 'conflict', detail: 'another member has to be made an owner first' });
  await deleteMember(tx, request);
  return { ok: true };
}

/** Guests manage nothing, whatever they were before; an administrator of the workspace manages what everybody may see. */
const manages = ({ my_role, user_role, kind }: Standing): boolean =>
  user_role !== 'guest' && (my_role === 'owner' || my_role === 'admin' || (user_role === 'admin' && kind === 'public'));
const owns = ({ my_role, user_role, kind }: Standing): boolean => user_role !== 'guest' && (my_role === 'owner' || (user_role === 'admin' && kind === 'public'));

export const FIXED: Problem = { code: 'conflict', detail: 'a direct channel is its members: nothing of it can be changed' };

export function refuseManager(standing: Standing | undefined): Problem | null {
  if (standing === undefined) return { code: 'unauthenticated' };
  if (!maySee(standing)) return { code: 'not_found' };
  if (standing.kind === 'direct') return FIXED;
  return manages(standing) ? null : { code: 'forbidden', detail: 'only an owner or admin of the channel may do this, or, if it is public, an administrator' };
}

/** An owner or admin adds someone. One who is a member already keeps their role. */
export async function addMember(tx: Transaction, request: MemberRequest & { readonly role: MemberRole }): Promise<Changed> {
  const standing = await standingUnderLock(tx, request.credentialId, request.channelId);
  const problem = refuseManager(standing);
  if (problem) return refused(problem);
  if (standing?.archived) return refused({ code: 'channel_archived' });
  if (await isMember(tx, request)) return { ok: false };
  if (!(await isActive(tx, request.userId))) return refused({ code: 'invalid', errors: [{ pointer: '/user_id', detail: 'there is no such user' }] });
  await insertMember(tx, request);
  await recordMember(tx, request, 'member.added', { role: request.role });
  return { ok: true };
}

/** An owner or admin removes someone; owners are removed by owners alone. */
export async function removeMember(tx: Transaction, request: MemberRequest): Promise<Changed> {
  const standing = await standingUnderLock(tx, request.credentialId, request.channelId);
  const problem = refuseManager(standing);
  if (problem) return refused(problem);
  const role = await roleOf(tx, request);
  if (role === null) return { ok: false };
  if (role === 'owner' && standing && !owns(standing)) return refused({ code: 'forbidden', detail: 'only an owner of the channel removes owners' });
  await deleteMember(tx, request);
  await recordMember(tx, request, 'member.removed');
  return { ok: true };
}

/**
 * An owner or admin gives a member another role; only an owner makes owners, or takes that from one, and one owner is always left. It is told as a member
 * added in the new role: who knows the list by these events has the right role, whether or not they knew the member.
 */
export async function changeRole(tx: Transaction, request: MemberRequest & { readonly role: MemberRole }): Promise<Changed> {
  const standing = await standingUnderLock(tx, request.credentialId, request.channelId);
  const problem = refuseManager(standing) ?? (await refuseRole(tx, standing, request));
  if (problem) return refused(problem);
  if ((await roleOf(tx, request)) === request.role) return { ok: false };
  const { channelId, userId, role } = request;
  const version = await bumpVersion(tx, channelId);
  await tx.update(members).set({ role, version }).where(and(eq(members.channel_id, channelId), eq(members.user_id, userId)));
  await appendDirectoryEvent(tx, { type: 'channel.member_added', ...eventOf(request), role, version }, request.traceparent);
  await recordMember(tx, request, 'member.role_changed', { role });
  return { ok: true };
}

/** What is done to another's membership: that people join and leave by themselves is in the outbox alone. */
const recordMember = (tx: Transaction, { channelId, userId, actorId, credentialId }: MemberRequest, act: Act['act'], details: { role?: MemberRole } = {}): Promise<void> =>
  recordAct(tx, { act, target: ['channel', channelId], details: { user_id: userId, ...details } }, { actorId, credentialId });

async function refuseRole(tx: Transaction, standing: LockedStanding | undefined, request: MemberRequest & { readonly role: MemberRole }): Promise<Problem | null> {
  if (standing?.archived) return { code: 'channel_archived' };
  const before = await roleOf(tx, request);
  if (before === null) return { code: 'not_found' };
  if (before !== 'owner' && request.role !== 'owner') return null;
  if (!standing || !owns(standing)) return { code: 'forbidden', detail: 'only an owner of the channel makes owners, or takes that from one' };
  const isLast = before === 'owner' && request.role !== 'owner' && (await countOwners(tx, request.channelId)) === 1;
  return isLast ? { code: 'conflict', detail: 'the last owner of a channel stays its owner' } : null;
}

async function isLastOwner(tx: Transaction, { channelId, userId }: MemberChange): Promise<boolean> {
  if ((await countOwners(tx, channelId)) > 1) return false;
  const others = await tx.select({ user_id: members.user_id }).from(members).where(and(eq(members.channel_id, channelId), ne(members.user_id, userId))).limit(1);
  return others.length > 0;
}

async function countOwners(tx: Transaction, channelId: string): Promise<number> {
  const owners = await tx.select({ user_id: members.user_id }).from(members).where(and(eq(members.channel_id, channelId), eq(members.role, 'owner'))).limit(2);
  return owners.length;
}

async function roleOf(tx: Transaction, { channelId, userId }: Pick<MemberChange, 'channelId' | 'userId'>): Promise<MemberRole | null> {
  const [found] = await tx.select({ role: members.role }).from(members).where(and(eq(members.channel_id, channelId), eq(members.user_id, userId)));
  return found?.role ?? null;
}

export async function isMember(tx: Transaction, change: Pick<MemberChange, 'channelId' | 'userId'>): Promise<boolean> {
  return (await roleOf(tx, change)) !== null;
}

async function isActive(tx: Transaction, userId: string): Promise<boolean> {
  const [user] = await tx.select({ deactivated_at: users.deactivated_at }).from(users).where(eq(users.id, userId));
  return user?.deactivated_at === null;
}

/** Adds a user who has just signed in for the first time to a channel; nothing where they are a member. */
export async function enrol(tx: Transaction, change: MemberChange): Promise<void> {
  await lockChannel(tx, change.channelId);
  if (!(await isMember(tx, change))) await insertMember(tx, { ...change, role: 'member' });
}

/** What a room is to be told of someone; null for who never was a member. */
export async function findMembership(db: Queryable, channelId: string, userId: string): Promise<Membership | null> {
  const [row] = await db.execute<{ role: MemberRole | null; version: string }>(sql`
    SELECT m.role, m.version FROM members m WHERE m.channel_id = ${channelId} AND m.user_id = ${userId}
    UNION ALL
    SELECT NULL, f.version FROM former_members f WHERE f.channel_id = ${channelId} AND f.user_id = ${userId}`);
  return row ? { role: row.role, version: Number(row.version) } : null;
}

export async function findMember(db: Queryable, channelId: string, userId: string): Promise<Member | null> {
  const [row] = await db
    .select({
      user: { id: users.id, handle: users.handle, display_name: users.display_name, role: users.role, avatar: sql<Avatar | null>`${avatarOf(sql`users`)}` },
      role: members.role,
      joined_at: members.joined_at,
    })
    .from(members)
    .innerJoin(users, eq(users.id, members.user_id))
    .where(and(eq(members.channel_id, channelId), eq(members.user_id, userId)));
  return row ? { ...row, joined_at: row.joined_at.toISOString() } : null;
}

type MemberRow = Standing & Member['user'] & { member_role: MemberRole; joined_at: string; [column: string]: unknown };

/** The members of a channel the caller may see, in the order of their ids. */
export async function listMembers(db: Queryable, credentialId: string, channelId: string, page: { after: string; limit: number }): Promise<Outcome<Member[]>> {
  const rows = await db.execute<MemberRow>(sql`
    SELECT ${standingColumns}, ${userColumns(sql`u`)}, m.role AS member_role, ${wireTime(sql`m.joined_at`)} AS joined_at
    FROM ${standingTables(credentialId, channelId)}
    LEFT JOIN LATERAL (
      SELECT l.user_id, l.role, l.joined_at FROM members l WHERE l.channel_id = ch.id AND l.user_id > ${page.after} ORDER BY l.user_id LIMIT ${page.limit}
    ) m ON true
    LEFT JOIN users u ON u.id = m.user_id ORDER BY u.id`);
  const problem = refuseViewer(rows[0]);
  if (problem) return { problem };
  return { ok: rows.filter(({ id }) => id !== null).map(toMember) };
}

const toMember = ({ id, handle, display_name, role, avatar, member_role, joined_at }: MemberRow): Member => ({
  user: { id, handle, display_name, role, avatar },
  role: member_role,
  joined_at,
});
