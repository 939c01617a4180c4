import { eq, sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { NamedUser, User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Transaction } from '../client.ts';
import { users } from '../schema/tables.ts';
import { lockAdmins } from './administrators.ts';
import { recordAct } from './audit.ts';
import { lockForAdmin, type UserRequest } from './deactivation.ts';
import { appendDirectoryEvent } from './directory-events.ts';

/** An administrator gives a user another role. `conflict` where nobody would be left to administer. */
export async function setRole(tx: Transaction, request: UserRequest, role: User['role']): Promise<Outcome<User>> {
  const admins = await lockAdmins(tx);
  const found = await lockForAdmin(tx, request);
  if ('problem' in found) return found;
  const { version, deactivated_at: _, ...user } = found.ok;
  if (user.role === role) return { ok: user };
  if (admins.length === 1 && admins[0] === user.id) return { problem: { code: 'conflict', detail: 'another user has to be made an administrator first' } };
  await recordRole(tx, request, { from: user.role, to: role });
  return { ok: await writeRole(tx, { ...request, version }, { ...user, role }) };
}

/** Makes the user an administrator where there is none that is active. Whether it did. */
export async function makeFirstAdmin(tx: Transaction, userId: string, now: Date): Promise<boolean> {
  if ((await lockAdmins(tx)).length > 0) return false;
  const [user] = await tx
    .select({ id: users.id, handle: users.handle, display_name: users.display_name, version: users.version })
    .from(users)
    .where(eq(users.id, userId))
    .for('no key update');
  if (!user) return false;
  const { version, ...profile } = user;
  await recordRole(tx, { userId, actorId: userId }, { to: 'admin', by: 'configuration' });
  await writeRole(tx, { eventId: uuidv7(), actorId: userId, now, traceparent: null, version }, { ...profile, role: 'admin' });
  return true;
}

const recordRole = (tx: Transaction, { userId, actorId }: Pick<UserRequest, 'userId' | 'actorId'>, details: Record<string, string>): Promise<void> =>
  recordAct(tx, { act: 'user.role_changed', target: ['user', userId], details }, { actorId });

type RoleChange = Pick<UserRequest, 'eventId' | 'actorId' | 'now' | 'traceparent'> & { readonly version: number };

/** Whoever is given a role has a place here, invited or not. */
export async function writeRole<U extends NamedUser>(tx: Transaction, { eventId: id, actorId: actor_id, now, traceparent, version: before }: RoleChange, user: U): Promise<U> {
  const version = before + 1;
  await tx.update(users).set({ role: user.role, is_admitted: true, version: sql`${users.version} + 1` }).where(eq(users.id, user.id));
  await appendDirectoryEvent(tx, { type: 'user.updated', id, at: now.toISOString(), actor_id, user, version }, traceparent);
  return user;
}
