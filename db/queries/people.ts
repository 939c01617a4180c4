import { sql } from 'drizzle-orm';
import type { Profile, User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable } from '../client.ts';
import { callerRow } from './access.ts';
import { pattern } from './search-conditions.ts';
import type { PersonPlace } from './search-people.ts';
import { isSeenBy, profileColumns, toProfile } from './users.ts';

export interface DirectoryPage {
  /** Each has to be in the handle or the displayed name; none: everybody. */
  readonly terms: readonly string[];
  readonly withDeactivated: boolean;
  readonly after: PersonPlace | null;
  readonly limit: number;
}

/**
 * Users in the order of handles; where something is looked for, those whose handle or name begins with it come first (rank 0). Guests find those alone with whom they
 * share a channel. `forbidden`: the deactivated are shown to administrators only. At most `limit`, and one more where there are more.
 */
export async function listUsers(db: Queryable, credentialId: string, page: DirectoryPage): Promise<Outcome<(PersonPlace & { readonly user: Profile })[]>> {
  const [me] = await db.execute<{ role: User['role'] }>(callerRow(credentialId));
  if (!me) return { problem: { code: 'unauthenticated' } };
  if (page.withDeactivated && me.role !== 'admin') return { problem: { code: 'forbidden', detail: 'who is deactivated is shown to administrators' } };
  const rows = await db.execute<{ [K in keyof Profile]: Profile[K] } & { rank: number }>(found(credentialId, page));
  return { ok: rows.map((row) => ({ user: toProfile(row), rank: row.rank, handle: row.handle })) };
}

function found(credentialId: string, { terms, withDeactivated, after, limit }: DirectoryPage) {
  const [first] = terms;
  const begins = first === undefined ? '' : pattern(first).slice(1);
  const rank = first === undefined ? sql`0` : sql`CASE WHEN u.handle ILIKE ${begins} OR u.display_name ILIKE ${begins} THEN 0 ELSE 1 END`;
  const conditions = [
    ...terms.map((term) => sql`(u.handle ILIKE ${pattern(term)} OR u.display_name ILIKE ${pattern(term)})`),
    ...(withDeactivated ? [] : [sql`u.deactivated_at IS NULL`]),
    ...(after === null ? [] : [first === undefined ? sql`u.handle > ${after.handle}` : sql`(${rank}, u.handle) > (${after.rank}::integer, ${after.handle})`]),
    isSeenBy(sql`me`, sql`u.id`),
  ];
  const order = first === undefined ? sql`u.handle` : sql`rank, u.handle`;
  return sql`
    SELECT hit.* FROM (${callerRow(credentialId)}) me CROSS JOIN LATERAL (
      SELECT ${profileColumns}, ${rank} AS rank FROM users u WHERE ${sql.join(conditions, sql` AND `)} ORDER BY ${order} LIMIT ${limit + 1}
    ) hit ORDER BY hit.rank, hit.handle`;
}
