import { sql } from 'drizzle-orm';
import type { User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Database } from '../client.ts';
import { callerRow } from './access.ts';
import { userColumns } from './avatar-column.ts';
import { STATEMENT_MS } from './search.ts';
import { pattern } from './search-conditions.ts';
import { type IndexLag, peopleLag } from './search-lag.ts';
import { isSeenBy } from './users.ts';

/** A place in the order of people: those whose name begins with the first term come first (0), then by handle. */
export interface PersonPlace {
  readonly rank: number;
  readonly handle: string;
}

export interface PeopleRequest {
  /** Each has to be in the handle or the display name. */
  readonly terms: readonly string[];
  readonly after: PersonPlace | null;
  readonly limit: number;
}

export interface FoundPeople {
  readonly users: User[];
  readonly next: PersonPlace | null;
  readonly lag: IndexLag;
}

type Row = { [column: string]: unknown; signed_in: boolean; id: string | null; handle: string; display_name: string; role: User['role']; avatar: User['avatar']; rank: number };

/**
 * People by parts of their names. Nobody is found who is deactivated at this moment, and by guests nobody with whom they share no channel. What is shown is
 * read from `users`.
 */
export function searchPeople(db: Database, credentialId: string, { terms, after, limit }: PeopleRequest): Promise<Outcome<FoundPeople>> {
  const matches = terms.map((term) => sql`(s.handle ILIKE ${pattern(term)} OR s.display_name ILIKE ${pattern(term)})`);
  const begins = `${pattern(terms[0] ?? '').slice(1)}`;
  const rank = sql`CASE WHEN u.handle ILIKE ${begins} OR u.display_name ILIKE ${begins} THEN 0 ELSE 1 END`;
  return db.transaction(async (tx): Promise<Outcome<FoundPeople>> => {
    await tx.execute(sql`SELECT set_config('statement_timeout', ${String(STATEMENT_MS)}, true)`);
    const rows = await tx.execute<Row>(sql`
      SELECT true AS signed_in, hit.id, hit.handle, hit.display_name, hit.role, hit.avatar, hit.rank
      FROM (${callerRow(credentialId)}) me LEFT JOIN LATERAL (
        SELECT ${userColumns(sql`u`)}, ${rank} AS rank
        FROM search_people s JOIN users u ON u.id = s.id AND u.deactivated_at IS NULL
        WHERE NOT s.deactivated AND ${sql.join(matches, sql` AND `)}
          AND ${after === null ? sql`true` : sql`(${rank}, u.handle) > (${after.rank}::integer, ${after.handle})`}
          AND ${isSeenBy(sql`me`, sql`u.id`)}
        ORDER BY rank, u.handle LIMIT ${limit + 1}
      ) hit ON true ORDER BY hit.rank, hit.handle`);
    if (rows.length === 0) return { problem: { code: 'unauthenticated' } };
    const found = rows.flatMap(({ id, handle, display_name, role, avatar, rank }) => (id === null ? [] : [{ user: { id, handle, display_name, role, avatar }, rank }]));
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    const next = last === undefined ? null : { rank: last.rank, handle: last.user.handle };
    return { ok: { users: page.map(({ user }) => user), next, lag: await peopleLag(tx) } };
  });
}
