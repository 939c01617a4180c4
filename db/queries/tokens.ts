import { and, eq, isNull } from 'drizzle-orm';
import type { Queryable } from '../client.ts';
import { users } from '../schema/tables.ts';

/** The id of the active user with this handle, or null. */
export async function findActiveUserId(db: Queryable, handle: string): Promise<string | null> {
  const [user] = await db.select({ id: users.id }).from(users).where(and(eq(users.handle, handle), isNull(users.deactivated_at)));
  return user?.id ?? null;
}
