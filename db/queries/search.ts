import { sql, type SQL } from 'drizzle-orm';
import type { SearchPage, User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { printTerms, type SearchQuery } from '../../protocol/search-query.ts';
import type { Database, Transaction } from '../client.ts';
import { errorState } from '../errors.ts';
import { callerRow } from './access.ts';
import { avatarOf } from './avatar-column.ts';
import { type IdRange, idRange, isBy, isIn, isSuch, isWith, isWithin, matchesMessage } from './search-conditions.ts';
import { type IndexLag, messageLag } from './search-lag.ts';
import { wireTime } from './time.ts';

export interface SearchRequest {
  readonly query: SearchQuery;
  readonly channelId: string | null;
  /** Only messages with a lower id. */
  readonly before: string | null;
  readonly limit: number;
}

export type FoundMessage = SearchPage['data'][number]['message'];
export interface Found {
  readonly messages: FoundMessage[];
  readonly users: User[];
  /** Only messages with a lower id are left to be found; null: none are. A page may be short, or empty, and not the last. */
  readonly next: string | null;
  readonly lag: IndexLag;
}

/** Longest that one statement of a search runs, in milliseconds. */
export const STATEMENT_MS = 2_000;
/**
 * Messages that are looked through before an index is asked: few at first, more only where these promise several pages of 30,000. What is said that often is found sooner so than
 * by an index, of which all hits are read before the newest are known; of what is said less often a page is far back, or is not there at all, for one hit among a thousand may be chance.
 */
const NEWEST = [1_000, 30_000] as const;
const PAGES_PROMISED = 3;
/** Messages that are looked through at once, where no index helps: few at first, as most is found among the newest. */
const FIRST_WINDOW = 1_000;
const LARGEST_WINDOW = 50_000;
const WINDOW_GROWTH = 7;
/** How long a request begins further windows, in milliseconds. */
const WALK_MS = 1_000;
const QUERY_CANCELED = '57014';

type Row = Omit<FoundMessage, 'pos' | 'tpos'> & { pos: string | null; tpos: string | null; handle: string; display_name: string; author_role: User['role']; avatar: User['avatar'] };
type Page = { rows: Row[]; next: string | null };

/**
 * Newest first, from the channels the caller is a member of at this moment (G5). The index may lag, which `lag` says; what it shows is read from
 * `messages`, so nothing deleted or outdated is shown. What no index helps with (one or two letters, conditions alone), or takes too long, is looked for
 * among some tens of thousands of messages at a time, so that a request ends soon and the next page goes on. `now`: milliseconds, of any start.
 */
export async function searchMessages(db: Database, credentialId: string, request: SearchRequest, now: () => number): Promise<Outcome<Found>> {
  if (isIndexed(request.query)) {
    try {
      return await search(db, credentialId, request.query, (tx, words) => findIndexed(tx, credentialId, request, words));
    } catch (error) {
      if (errorState(error) !== QUERY_CANCELED) throw error;
    }
  }
  return search(db, credentialId, request.query, (tx, words) => walk(tx, credentialId, request, words, now));
}

/** Trigrams need three letters in a row, in each alternative. */
const isIndexed = ({ any }: SearchQuery): boolean => any.length > 0 && any.every(({ all }) => all.some((term) => /[\p{L}\p{N}]{3}/u.test(term)));

function search(db: Database, credentialId: string, query: SearchQuery, find: (tx: Transaction, words: string) => Promise<Page>): Promise<Outcome<Found>> {
  return db.transaction(async (tx): Promise<Outcome<Found>> => {
    const words = await openIndex(tx, credentialId, query);
    if (words === null) return { problem: { code: 'unauthenticated' } };
    // Together, to spare a round trip.
    const [{ rows, next }, lag] = await Promise.all([find(tx, words), messageLag(tx, credentialId)]);
    return { ok: { messages: rows.map(toMessage), users: authorsOf(rows), next, lag } };
  });
}

/** The terms as the live index has words, as a tsquery. It stays this index until the transaction ends: it is named here, and so held against a swap. */
async function openIndex(tx: Transaction, credentialId: string, { any }: SearchQuery): Promise<string | null> {
  const [row] = await tx.execute<{ words: string }>(sql`
    SELECT websearch_to_tsquery(coalesce(i.config, 'simple')::text::regconfig, ${printTerms(any)})::text AS words, set_config('statement_timeout', ${String(STATEMENT_MS)}, true),
      (SELECT count(*) FROM (SELECT FROM search_messages s LIMIT 0) held)
    FROM (${callerRow(credentialId)}) me CROSS JOIN search_indexes i WHERE i.kind = 'messages'`);
  return row?.words ?? null;
}

/** Most searches are for what is said often, and are answered by the newest of it. What is not said often enough for that, its index has little of. */
async function findIndexed(tx: Transaction, credentialId: string, request: SearchRequest, words: string): Promise<Page> {
  const range = idRange(request.query, request.before);
  let promised = true;
  for (const [index, newest] of NEWEST.entries()) {
    if (!promised) break;
    const page = await readPage(tx, credentialId, request, words, range, { newest });
    if (page.next !== null) return page;
    promised = (page.rows.length * (NEWEST[index + 1] ?? 0)) / newest > PAGES_PROMISED * request.limit;
  }
  return readPage(tx, credentialId, request, words, range, 'indexes');
}

async function readPage(tx: Transaction, credentialId: string, request: SearchRequest, words: string, range: IdRange, source: Source): Promise<Page> {
  const rows = await tx.execute<Row & { [column: string]: unknown }>(pageStatement(credentialId, request, words, range, source));
  const page = rows.slice(0, request.limit);
  return { rows: page, next: rows.length > request.limit ? (page.at(-1)?.id ?? null) : null };
}

/**
 * Where a page is looked for: among so many newest of the range; by the indexes of words and trigrams; or from message to message, newest first, through all of the range. The
 * planner would choose between the latter two by how many it expects, and where it errs a search takes seconds: of a word that it has no statistics of, it expects thousands.
 */
export type Source = { readonly newest: number } | 'indexes' | 'range';

/**
 * One row more than a page has, to know whether it is the last. The source of a hit is looked up by its id, and only of those that the page takes: left to it, the planner
 * merges the few hits with all messages down to the last of them.
 */
export function pageStatement(credentialId: string, { query, channelId, limit }: SearchRequest, words: string, range: IdRange, source: Source): SQL {
  const matches = [isWithin('s', range), ...matchesMessage(query, words), ...(channelId === null ? [] : [sql`s.channel_id = ${channelId}`])];
  const others = [...isBy(query.from, sql`s.author_id`), ...isIn(query.in, sql`s.channel_id`), ...isWith(query.with, sql`s.channel_id`), ...isSuch(query)];
  return sql`
    SELECT hit.id, hit.channel_id, hit.pos, hit.thread_id, hit.tpos, hit.author_id, hit.text, hit.origin, ${wireTime(sql`hit.created_at`)} AS created_at,
      a.handle, a.display_name, a.role AS author_role, ${avatarOf(sql`a`)} AS avatar
    FROM (${callerRow(credentialId)}) me
    CROSS JOIN LATERAL (
      SELECT m.id, m.channel_id, m.pos, m.thread_id, m.tpos, m.author_id, m.text, m.origin, m.created_at
      FROM ${hits(matches, range, source)} s
      JOIN members mine ON mine.channel_id = s.channel_id AND mine.user_id = me.id
      CROSS JOIN LATERAL (
        SELECT n.id, n.channel_id, n.pos, n.thread_id, n.tpos, n.author_id, n.text, n.origin, n.created_at, n.edited_at FROM messages n
        WHERE n.id = s.id AND n.deleted_at IS NULL AND ${isWithin('n', range)} LIMIT 1
      ) m
      WHERE ${all([sql`TRUE`, ...others])}
      ORDER BY s.id DESC LIMIT ${limit + 1}
    ) hit
    LEFT JOIN users a ON a.id = hit.author_id
    ORDER BY hit.id DESC`;
}

/** In order, which is why each ends with something that Postgres must not look through: it takes the first that fill a page, and not all. */
function hits(matches: readonly SQL[], range: IdRange, source: Source): SQL {
  const columns = sql`s.id, s.channel_id, s.author_id, s.text`;
  if (source === 'range') return sql`(SELECT ${columns} FROM search_messages s WHERE ${all(matches)})`;
  if (source === 'indexes') return sql`(WITH found AS MATERIALIZED (SELECT ${columns} FROM search_messages s WHERE ${all(matches)}) SELECT ${columns} FROM found s ORDER BY s.id DESC OFFSET 0)`;
  return sql`(
    SELECT ${columns} FROM (SELECT ${columns}, s.tsv FROM search_messages s WHERE ${isWithin('s', range)} ORDER BY s.id DESC LIMIT ${source.newest}) s WHERE ${all(matches)})`;
}

const all = (conditions: readonly SQL[]): SQL => sql.join([...conditions], sql` AND `);

/** Window after window, newest first, until the page is full, nothing is left, or it has taken long enough. */
async function walk(tx: Transaction, credentialId: string, request: SearchRequest, words: string, now: () => number): Promise<Page> {
  const end = now() + WALK_MS;
  const whole = idRange(request.query, request.before);
  const rows: Row[] = [];
  let below = whole.below;
  let size = FIRST_WINDOW;
  do {
    const floor = await windowFloor(tx, { from: whole.from, below }, size);
    size = Math.min(size * WINDOW_GROWTH, LARGEST_WINDOW);
    const page = await readPage(tx, credentialId, { ...request, limit: request.limit - rows.length }, words, { from: floor ?? whole.from, below }, 'range');
    rows.push(...page.rows);
    if (page.next !== null) return { rows, next: page.next };
    if (floor === null) return { rows, next: null };
    below = floor;
  } while (rows.length < request.limit && now() < end);
  return { rows, next: below };
}

/** The lowest id of a window; null: it is the last. */
async function windowFloor(tx: Transaction, { from, below }: IdRange, size: number): Promise<string | null> {
  const [row] = await tx.execute<{ id: string }>(sql`
    SELECT s.id FROM search_messages s WHERE s.id >= ${from} AND s.id < ${below} ORDER BY s.id DESC OFFSET ${size - 1} LIMIT 1`);
  return row?.id ?? null;
}

function toMessage(row: Row): FoundMessage {
  const { id, channel_id, thread_id, author_id, text, origin, created_at } = row;
  const [pos, tpos] = [row.pos, row.tpos].map((counter) => (counter === null ? null : Number(counter)));
  return { id, channel_id, pos: pos ?? null, thread_id, tpos: tpos ?? null, author_id, text, origin, created_at };
}

function authorsOf(rows: readonly Row[]): User[] {
  const authors = new Map(
    rows.map(({ author_id, handle, display_name, author_role, avatar }) => [author_id, { id: author_id, handle, display_name, role: author_role, avatar }]),
  );
  return [...authors.values()];
}
