import { and, ne, sql } from 'drizzle-orm';
import type { Queryable } from '../client.ts';
import { users } from '../schema/tables.ts';

/** Users of a development identity provider follow it to another port: its issuer, by which they are known, has the port in it. */
export async function moveLoopbackUsers(db: Queryable, issuer: string): Promise<void> {
  await db
    .update(users)
    .set({ issuer })
    .where(and(sql`${users.issuer} ~ '^http://127[.]0[.]0[.]1:[0-9]+$'`, ne(users.issuer, issuer)));
}
