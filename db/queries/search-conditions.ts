import { sql, type SQL } from 'drizzle-orm';
import { type Filter, type SearchQuery, type TermGroup, timeSpan } from '../../protocol/search-query.ts';

/** Conditions on `s` (an index), `m` (its source) and `me` (the caller), to be joined by AND. */
export type Conditions = readonly SQL[];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * A message is found by its words, `words` as a tsquery of the index's configuration, or by substrings, which serves scripts without spaces. A value, not the call that makes
 * it: that names a configuration, which Postgres takes for something that may change, so it would be called for every row and tell the planner nothing.
 */
export function matchesMessage({ any }: SearchQuery, words: string): Conditions {
  if (any.length === 0) return [];
  if (any.every(({ all }) => all.length === 0)) return any.map((group) => holds(group, sql`s.text`));
  return [sql`(s.tsv @@ ${words}::tsquery OR ${sql.join(any.map((group) => holds(group, sql`s.text`)), sql` OR `)})`];
}

export const matchesName = ({ any }: SearchQuery): Conditions =>
  any.length === 0 ? [] : [sql`(${sql.join(any.map((group) => holds(group, sql`s.name`)), sql` OR `)})`];

const holds = ({ all, none }: TermGroup, text: SQL): SQL =>
  sql`(${sql.join([...all.map((term) => sql`${text} ILIKE ${pattern(term)}`), ...none.map((term) => sql`${text} NOT ILIKE ${pattern(term)}`)], sql` AND `)})`;

export const pattern = (term: string): string => `%${term.replaceAll(/[\\%_]/g, '\\$&')}%`;

/** Who wrote it, and where. A channel the caller is no member of is as one that is not there: membership is joined beside this. */
export const isBy = (filters: readonly Filter[], author: SQL): Conditions => chosen(filters, (values) => sql`${author} IN (${people(values)})`);
export const isIn = (filters: readonly Filter[], channel: SQL): Conditions => chosen(filters, (values) => sql`${channel} IN (${places(values)})`);

/** Those asked for are alternatives; none of those left out. */
function chosen(filters: readonly Filter[], among: (values: readonly string[]) => SQL): Conditions {
  const [asked, refused] = [false, true].map((not) => filters.filter((filter) => filter.not === not).map(({ value }) => value));
  return [...(asked?.length ? [among(asked)] : []), ...(refused?.length ? [sql`NOT (${among(refused)})`] : [])];
}

function people(values: readonly string[]): SQL {
  const ids = values.filter((value) => UUID.test(value));
  const mine = values.some((value) => value.toLowerCase() === 'me') ? sql` UNION ALL SELECT me.id` : sql``;
  return sql`SELECT u.id FROM users u WHERE u.handle IN (${list(values, lower)}) OR u.id IN (SELECT fh.user_id FROM former_handles fh WHERE fh.handle IN (${list(values, lower)}))${ids.length === 0 ? sql`` : sql` OR u.id IN (${list(ids, plain)})`}${mine}`;
}

/** Channels by their names and ids, and the caller's own direct channels, each of two. */
function places(values: readonly string[]): SQL {
  const [channels, direct] = [false, true].map((isDirect) => values.filter((value) => value.startsWith('@') === isDirect));
  return sql.join([...(channels?.length ? [named(channels)] : []), ...(direct?.length ? [directWith(direct.map((value) => value.slice(1)))] : [])], sql` UNION ALL `);
}

/** Their ids stand in rising order, as the index on them has it; one's own alone is of one's notes. */
const directWith = (values: readonly string[]): SQL => sql`
  SELECT d.id FROM (${people(values)}) o JOIN channels d
    ON d.direct_user_ids = CASE WHEN o.id = me.id THEN ARRAY[me.id] WHEN o.id < me.id THEN ARRAY[o.id, me.id] ELSE ARRAY[me.id, o.id] END`;

/** In direct channels that all of these are in; with `not`, in any other channel. */
export const isWith = (filters: readonly Filter[], channel: SQL): Conditions =>
  filters.map(({ value, not }) => {
    const among = sql`EXISTS (SELECT FROM channels d WHERE d.id = ${channel} AND d.direct_user_ids && ARRAY(${people([value])}))`;
    return not ? sql`NOT ${among}` : among;
  });

function named(values: readonly string[]): SQL {
  const ids = values.filter((value) => UUID.test(value));
  return sql`SELECT c.id FROM channels c WHERE lower(c.name) IN (${list(values, lower)})${ids.length === 0 ? sql`` : sql` OR c.id IN (${list(ids, plain)})`}`;
}

const lower = (value: string): SQL => sql`lower(${value})`;
const plain = (value: string): SQL => sql`${value}`;
const list = (values: readonly string[], of: (value: string) => SQL): SQL => sql.join(values.map(of), sql`, `);

const HAS = {
  link: sql`s.text ~* 'https?://'`,
  file: sql`EXISTS (SELECT FROM message_files mf JOIN files f ON f.id = mf.file_id AND f.deleted_at IS NULL WHERE mf.message_id = m.id)`,
  reaction: sql`EXISTS (SELECT FROM reactions r WHERE r.message_id = m.id)`,
};
const IS = {
  thread: sql`(m.thread_id IS NOT NULL OR EXISTS (SELECT FROM threads t WHERE t.root_id = m.id AND t.reply_count > 0))`,
  edited: sql`m.edited_at IS NOT NULL`,
  // As of a file, too: both indexes say where it is.
  dm: sql`EXISTS (SELECT FROM channels d WHERE d.id = s.channel_id AND d.kind = 'direct')`,
};

/** What a message has and is, as Postgres knows it now; a file `is:dm` alone. */
export const isSuch = ({ has, is }: SearchQuery): Conditions => [
  ...has.map(({ value, not }) => (not ? sql`NOT (${HAS[value]})` : HAS[value])),
  ...is.map(({ value, not }) => (not ? sql`NOT (${IS[value]})` : IS[value])),
];

/** Ids of a time, from the first on, up to but without the last. */
export interface IdRange {
  readonly from: string;
  readonly below: string;
}

const END_OF_TIME = 2 ** 48 - 1;
const LAST = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** The UUIDv7s of the query's dates, further on below a cursor. */
export function idRange({ dates }: Pick<SearchQuery, 'dates'>, before: string | null): IdRange {
  const { since, until } = timeSpan(dates);
  const below = [until === null ? LAST : uuidFloor(until), before ?? LAST].toSorted()[0] ?? LAST;
  return { from: uuidFloor(since ?? 0), below };
}

/** The least UUIDv7 of a moment, as the function of that name in Postgres has it. */
function uuidFloor(ms: number): string {
  const hex = Math.min(Math.max(ms, 0), END_OF_TIME).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** Asked of both sides of the join, neither looks into months that cannot have any. */
export const isWithin = (side: 's' | 'n', { from, below }: IdRange): SQL => (side === 's' ? sql`s.id >= ${from} AND s.id < ${below}` : sql`n.id >= ${from} AND n.id < ${below}`);
