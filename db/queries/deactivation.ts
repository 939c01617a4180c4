import { and, eq, gt, isNotNull, isNull, sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { Avatar, User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import { credentials, members, users } from '../schema/tables.ts';
import { lockAdmins, refuseNonAdmin } from './administrators.ts';
import { type Act, recordAct } from './audit.ts';
import { avatarOf } from './avatar-column.ts';
import { writeAvatar } from './avatar-writing.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { forgetAddress } from './email-settings.ts';
import { forgetReported } from './reports.ts';
import { disableWebhooksOf } from './webhooks.ts';

export interface UserRequest {
  readonly credentialId: string;
  readonly actorId: string;
  readonly userId: string;
  /** Of the event that tells of the change. */
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/**
 * An administrator takes a user's access: no sign-in, no token, every credential there is revoked, every webhook of theirs disabled. Whether anything changed. Nobody
 * does it to themselves, and of two who do it to each other the second has no access any more: one administrator is always left.
 */
export async function deactivateUser(tx: Transaction, request: UserRequest): Promise<Outcome<boolean>> {
  await lockAdmins(tx);
  const found = await lockForAdmin(tx, request);
  if ('problem' in found) return found;
  if (request.userId === request.actorId) return { problem: { code: 'conflict', detail: 'another administrator has to do this' } };
  const { now, userId } = request;
  await tx.update(credentials).set({ revoked_at: now }).where(and(eq(credentials.user_id, userId), isNull(credentials.revoked_at)));
  await disableWebhooksOf(tx, userId, now);
  if (found.ok.deactivated_at !== null) return { ok: false };
  await setDeactivated(tx, request, found.ok, now);
  await recordUserAct(tx, request, 'user.deactivated');
  return { ok: true };
}

/** The user may sign in again. What was revoked stays so. */
export async function reactivateUser(tx: Transaction, request: UserRequest): Promise<Outcome<boolean>> {
  const found = await lockForAdmin(tx, request);
  if ('problem' in found) return found;
  if (found.ok.deactivated_at === null) return { ok: false };
  await setDeactivated(tx, request, found.ok, null);
  await recordUserAct(tx, request, 'user.reactivated');
  return { ok: true };
}

/** Asks for all messages of a deactivated user to be deleted; their picture is gone at once. Repeating it asks again, which does nothing where it is done. */
export async function requestRedaction(tx: Transaction, request: UserRequest): Promise<Outcome<boolean>> {
  const found = await lockForAdmin(tx, request);
  if ('problem' in found) return found;
  if (found.ok.deactivated_at === null) return { problem: { code: 'conflict', detail: 'the user has to be deactivated first' } };
  const { eventId: id, actorId: actor_id, userId: user_id, now, traceparent } = request;
  await appendDirectoryEvent(tx, { type: 'user.redaction_requested', id, at: now.toISOString(), actor_id, user_id }, traceparent);
  await writeAvatar(tx, { ...request, eventId: uuidv7() }, null);
  await forgetReported(tx, user_id);
  await forgetAddress(tx, user_id);
  await recordUserAct(tx, request, 'user.redaction_requested');
  return { ok: true };
}

const recordUserAct = (tx: Transaction, { userId, actorId, credentialId }: UserRequest, act: Act['act']): Promise<void> =>
  recordAct(tx, { act, target: ['user', userId] }, { actorId, credentialId });

export type LockedUser = User & { readonly version: number; readonly deactivated_at: Date | null };

/** A sign-in takes the same lock: it is either seen here, with its credential, or sees that the user is deactivated. */
export async function lockForAdmin(tx: Transaction, { credentialId, userId }: UserRequest): Promise<Outcome<LockedUser>> {
  const problem = await refuseNonAdmin(tx, credentialId);
  if (problem) return { problem };
  const user = await lockedUser(tx, userId);
  return user ? { ok: user } : { problem: { code: 'not_found' } };
}

export async function lockedUser(tx: Transaction, userId: string): Promise<LockedUser | undefined> {
  const [user] = await tx
    .select({ id: users.id, handle: users.handle, display_name: users.display_name, role: users.role, avatar: sql<Avatar | null>`${avatarOf(sql`users`)}`, version: users.version, deactivated_at: users.deactivated_at })
    .from(users)
    .where(eq(users.id, userId))
    .for('no key update');
  return user;
}

/** Of a user whose row is locked. */
export async function setDeactivated(tx: Transaction, request: Pick<UserRequest, 'eventId' | 'actorId' | 'now' | 'traceparent'>, locked: LockedUser, deactivatedAt: Date | null): Promise<void> {
  const { version: before, deactivated_at: _, ...user } = locked;
  const { eventId: id, actorId: actor_id, now, traceparent } = request;
  const version = before + 1;
  await tx.update(users).set({ deactivated_at: deactivatedAt, version }).where(eq(users.id, user.id));
  const event = { type: 'user.updated', id, at: now.toISOString(), actor_id, user, deactivated: deactivatedAt !== null, version } as const;
  await appendDirectoryEvent(tx, event, traceparent);
}

/** Credentials that were revoked before their end, and the channels of their user: where they may still be in use. */
export interface RevokedAccess {
  readonly user_id: string;
  readonly credentials: readonly { readonly id: string; readonly expires_at: Date }[];
  readonly channel_ids: readonly string[];
}

/** The same at every repetition, so that the telling can be repeated. */
export async function findRevokedAccess(db: Queryable, userId: string): Promise<RevokedAccess> {
  const revoked = await db
    .select({ id: credentials.id, expires_at: credentials.expires_at })
    .from(credentials)
    .where(and(eq(credentials.user_id, userId), isNotNull(credentials.revoked_at), gt(credentials.expires_at, sql`now()`)));
  const joined = await db.select({ channel_id: members.channel_id }).from(members).where(eq(members.user_id, userId));
  return { user_id: userId, credentials: revoked, channel_ids: joined.map(({ channel_id }) => channel_id) };
}
