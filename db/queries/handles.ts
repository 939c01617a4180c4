import { and, eq, ne, sql } from 'drizzle-orm';
import type { Problem } from '../../protocol/errors.ts';
import { MAX_FORMER_HANDLES } from '../../protocol/limits.ts';
import type { Queryable, Transaction } from '../client.ts';
import { errorState } from '../errors.ts';
import { peopleTables } from '../schema/people-tables.ts';
import { users } from '../schema/tables.ts';

const { formerHandles } = peopleTables;
const UNIQUE_VIOLATION = '23505';
const TAKEN: Problem = { code: 'conflict', detail: 'the handle is taken' };

/**
 * Whether a user had this handle before, and thus keeps it from others. To be asked after the handle was written to `users`: its unique index has waited
 * for whoever was giving it up, so that this sees what they have committed.
 */
export async function isFormerHandle(db: Queryable, handle: string, but: string | null = null): Promise<boolean> {
  const whose = but === null ? undefined : ne(formerHandles.user_id, but);
  const found = await db.select({ user_id: formerHandles.user_id }).from(formerHandles).where(and(eq(formerHandles.handle, handle), whose));
  return found.length > 0;
}

export interface HandleChange {
  readonly userId: string;
  readonly before: string;
  readonly handle: string;
  readonly now: Date;
}

/**
 * Gives a user, whose row is locked, another handle; the one before stays theirs, so that what was written to it stays written to them. They may take it up again.
 * The problem where it is somebody else's, or was, or they have had too many.
 */
export async function changeHandle(tx: Transaction, { userId, before, handle, now }: HandleChange): Promise<Problem | null> {
  try {
    await tx.transaction((step) => step.update(users).set({ handle }).where(eq(users.id, userId)));
  } catch (error) {
    if (errorState(error) === UNIQUE_VIOLATION) return TAKEN;
    throw error;
  }
  if (await isFormerHandle(tx, handle, userId)) return TAKEN;
  await tx.delete(formerHandles).where(eq(formerHandles.handle, handle));
  await tx.insert(formerHandles).values({ handle: before, user_id: userId, given_up_at: now });
  const [kept] = await tx.select({ n: sql<number>`count(*)::integer` }).from(formerHandles).where(eq(formerHandles.user_id, userId));
  return (kept?.n ?? 0) > MAX_FORMER_HANDLES ? { code: 'conflict', detail: `a handle is changed at most ${MAX_FORMER_HANDLES} times` } : null;
}
