import { sql, type SQL } from 'drizzle-orm';
import type { SearchPage, User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable } from '../client.ts';
import { callerRow } from './access.ts';
import { wireTime } from './time.ts';

/** A conjunction: a text that has all of `all` and none of `none`. */
export interface TermGroup {
  readonly all: readonly string[];
  readonly none: readonly string[];
}

export interface SearchRequest {
  /** In the grammar of `websearch_to_tsquery`. */
  readonly query: string;
  /** The same query as substrings: one of these groups has to hold. */
  readonly groups: readonly TermGroup[];
  readonly channelId: string | null;
  /** Only messages with a lower id. */
  readonly before: string | null;
  readonly limit: number;
}

export type FoundMessage = SearchPage['data'][number]['message'];
export interface Found {
  readonly messages: FoundMessage[];
  readonly users: User[];
}

type Row = Omit<FoundMessage, 'pos' | 'tpos'> & { pos: string | null; tpos: string | null; handle: string; display_name: string; author_role: User['role'] };

/**
 * Newest first, from the channels the caller is a member of at this moment (G5). A message is found by its words, or by substrings, which serves scripts
 * without spaces. The index may lag; what it shows is read from `messages`, so nothing deleted or outdated is shown.
 */
export async function searchMessages(db: Queryable, credentialId: string, request: SearchRequest): Promise<Outcome<Found>> {
  const rows = await db.execute<Row & { [column: string]: unknown }>(sql`
    SELECT hit.id, hit.channel_id, hit.pos, hit.thread_id, hit.tpos, hit.author_id, hit.text, hit.origin, ${wireTime(sql`hit.created_at`)} AS created_at,
      a.handle, a.display_name, a.role AS author_role
    FROM (${callerRow(credentialId)}) me
    LEFT JOIN LATERAL (
      SELECT m.id, m.channel_id, m.pos, m.thread_id, m.tpos, m.author_id, m.text, m.origin, m.created_at
      FROM search_messages s
      JOIN members mine ON mine.channel_id = s.channel_id AND mine.user_id = me.id
      JOIN messages m ON m.id = s.id AND m.deleted_at IS NULL
      WHERE ${conditions(request)}
      ORDER BY s.id DESC LIMIT ${request.limit}
    ) hit ON true
    LEFT JOIN users a ON a.id = hit.author_id
    ORDER BY hit.id DESC`);
  if (rows.length === 0) return { problem: { code: 'unauthenticated' } };
  const found = rows.filter(({ id }) => id !== null);
  return { ok: { messages: found.map(toMessage), users: authorsOf(found) } };
}

function conditions({ query, groups, channelId, before }: SearchRequest): SQL {
  const matches = sql`(s.tsv @@ websearch_to_tsquery('simple', ${query}) OR ${sql.join(groups.map(holds), sql` OR `)})`;
  return sql.join(
    [matches, ...(channelId === null ? [] : [sql`s.channel_id = ${channelId}`]), ...(before === null ? [] : [sql`s.id < ${before}`])],
    sql` AND `,
  );
}

const holds = ({ all, none }: TermGroup): SQL =>
  sql`(${sql.join([...all.map((term) => sql`s.text ILIKE ${pattern(term)}`), ...none.map((term) => sql`s.text NOT ILIKE ${pattern(term)}`)], sql` AND `)})`;

const pattern = (term: string): string => `%${term.replaceAll(/[\\%_]/g, '\\$&')}%`;

function toMessage(row: Row): FoundMessage {
  const { id, channel_id, thread_id, author_id, text, origin, created_at } = row;
  const [pos, tpos] = [row.pos, row.tpos].map((counter) => (counter === null ? null : Number(counter)));
  return { id, channel_id, pos: pos ?? null, thread_id, tpos: tpos ?? null, author_id, text, origin, created_at };
}

function authorsOf(rows: readonly Row[]): User[] {
  const authors = new Map(
    rows.map(({ author_id, handle, display_name, author_role }) => [author_id, { id: author_id, handle, display_name, role: author_role }]),
  );
  return [...authors.values()];
}
