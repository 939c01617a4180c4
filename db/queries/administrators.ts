import { and, asc, eq, isNull } from 'drizzle-orm';
import type { User } from '../../protocol/api.ts';
import type { Problem } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import { users } from '../schema/tables.ts';
import { callerRow } from './access.ts';

/** Null for an administrator, by the role at this moment. */
export async function refuseNonAdmin(db: Queryable, credentialId: string): Promise<Problem | null> {
  const [me] = await db.execute<{ role: User['role'] }>(callerRow(credentialId));
  if (!me) return { code: 'unauthenticated' };
  return me.role === 'admin' ? null : { code: 'forbidden', detail: 'this is for administrators' };
}

/** Null for who moderates: moderators and administrators, by the role at this moment. */
export async function refuseNonModerator(db: Queryable, credentialId: string): Promise<Problem | null> {
  const [me] = await db.execute<{ role: User['role'] }>(callerRow(credentialId));
  if (!me) return { code: 'unauthenticated' };
  return me.role === 'admin' || me.role === 'moderator' ? null : { code: 'forbidden', detail: 'this is for administrators and moderators' };
}

/** The active administrators, locked until the transaction ends: of two that take each other's role, the second sees that the first is gone. */
export async function lockAdmins(tx: Transaction): Promise<string[]> {
  const rows = await tx
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.role, 'admin'), isNull(users.deactivated_at)))
    .orderBy(asc(users.id))
    .for('no key update');
  return rows.map(({ id }) => id);
}
