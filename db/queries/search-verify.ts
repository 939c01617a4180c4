import type postgres from 'postgres';
import type { SearchKind } from '../schema/search-tables.ts';
import type { IndexSide } from './search-index.ts';

type AnySql = postgres.ISql;

/** A part of an index beside its source: a month of messages, or all of people or files. */
export interface PartCheck {
  /** Such as `2026_11`; empty for what has no parts. */
  readonly part: string;
  readonly rows: number;
  readonly indexed: number;
  /** Whether counts and checksums were the same, at one moment. */
  readonly equal: boolean;
  /** Rows that differ because the group has not read of their change yet, or because they wait to be settled or retried. */
  readonly waiting: number;
  /** Rows that differ for no such reason, and the first of their ids. */
  readonly wrong: number;
  readonly examples: readonly string[];
}

const MOST_EXAMPLES = 10;

/** Rows of what an index is derived from. */
export async function countRows(sql: AnySql, kind: SearchKind): Promise<number> {
  const source = sql({ messages: 'messages', people: 'users', files: 'files' }[kind]);
  const [row] = await sql<[{ count: number }]>`SELECT count(*)::float8 AS count FROM ${source} s`;
  return row.count;
}

/** The months of `messages`, as the suffixes of its partitions. */
export async function messageMonths(sql: AnySql): Promise<string[]> {
  const rows = await sql<{ part: string }[]>`
    SELECT substring(c.relname FROM length('messages_') + 1) AS part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'messages'::regclass ORDER BY 1`;
  return rows.map(({ part }) => part);
}

/**
 * Compares a part of an index with what it is derived from: by count and checksum, and where they differ, row by row, in one snapshot. A checksum is
 * the exclusive or of 64-bit hashes of all columns of the rows.
 */
export async function checkPart(sql: AnySql, kind: SearchKind, side: IndexSide, part: string): Promise<PartCheck> {
  const name = `search_${kind}${side === 'live' ? '' : '_next'}${part === '' ? '' : `_${part}`}`;
  const [{ isThere }] = await sql<[{ isThere: boolean }]>`SELECT to_regclass(${name}) IS NOT NULL AS "isThere"`;
  const [source, index] = [sourceRows(sql, kind, part), indexRows(sql, kind, isThere ? name : null)];
  const [sums] = await sql<[{ rows: number; indexed: number; equal: boolean }]>`
    SELECT m.count::float8 AS rows, s.count::float8 AS indexed, m.count = s.count AND m.sum IS NOT DISTINCT FROM s.sum AS equal
    FROM (SELECT count(*), bit_xor(hashtextextended(r::text, 0)) AS sum FROM (${source}) r) m,
      (SELECT count(*), bit_xor(hashtextextended(r::text, 0)) AS sum FROM (${index}) r) s`;
  if (sums.equal) return { part, ...sums, waiting: 0, wrong: 0, examples: [] };
  const [found] = await sql<[{ waiting: number; wrong: number; examples: string[] }]>`
    SELECT count(*) FILTER (WHERE d.waits)::float8 AS waiting, count(*) FILTER (WHERE NOT d.waits)::float8 AS wrong,
      coalesce(to_json((array_agg(d.id::text) FILTER (WHERE NOT d.waits))[1:${MOST_EXAMPLES}]), '[]') AS examples
    FROM (
      SELECT d.id, ${waits(sql, kind, side)} AS waits
      FROM (SELECT coalesce(m.id, s.id) AS id, coalesce(m.key, s.key) AS key FROM (${source}) m FULL JOIN (${index}) s ON s.id = m.id
        WHERE m IS DISTINCT FROM s) d
    ) d`;
  return { part, ...sums, ...found };
}

/** `key` is that of the events that tell of a row. */
function sourceRows(sql: AnySql, kind: SearchKind, part: string): postgres.Fragment {
  switch (kind) {
    case 'messages':
      return sql`SELECT m.id, m.channel_id AS key, m.author_id, m.text FROM ${sql(`messages_${part}`)} m WHERE m.deleted_at IS NULL`;
    case 'people':
      return sql`SELECT u.id, u.id AS key, u.handle, u.display_name, u.version, u.deactivated_at IS NOT NULL AS deactivated FROM users u`;
    case 'files':
      return sql`SELECT f.id, f.id AS key, f.channel_id, f.uploader_id, f.name, f.version FROM files f WHERE f.status = 'clean' AND f.deleted_at IS NULL`;
  }
}

/** None, where the index has no such part. */
function indexRows(sql: AnySql, kind: SearchKind, name: string | null): postgres.Fragment {
  const none = name === null ? sql`WHERE false` : sql``;
  const table = sql(name ?? `search_${kind}`);
  switch (kind) {
    case 'messages':
      return sql`SELECT s.id, s.channel_id AS key, s.author_id, s.text FROM ${table} s ${none}`;
    case 'people':
      return sql`SELECT s.id, s.id AS key, s.handle, s.display_name, s.version, s.deactivated FROM ${table} s ${none}`;
    case 'files':
      return sql`SELECT s.id, s.id AS key, s.channel_id, s.uploader_id, s.name, s.version FROM ${table} s ${none}`;
  }
}

const SOURCES = {
  messages: { topic: 'message.events', types: 'colink.message.%' },
  people: { topic: 'user.events', types: 'colink.user.%' },
  files: { topic: 'file.events', types: 'colink.file.%' },
} as const satisfies Record<SearchKind, object>;

/**
 * Whether the group is still to read of the row `d`: its key is parked, or the newest event of its key is behind what the group took of it. Only events
 * that it reads count: others leave no mark. Of a person or a file the log is searched, which the few that differ are worth.
 */
function waits(sql: AnySql, kind: SearchKind, side: IndexSide): postgres.Fragment {
  const { topic, types } = SOURCES[kind];
  const taken = sql`coalesce((SELECT k.position FROM consumer_keys k WHERE k.group_id = 'search-indexer' AND k.topic = ${topic} AND k.key = d.key), 0)`;
  const isOfRow = sql`e.topic = ${topic} AND e.key = d.key AND e.type LIKE ${types}`;
  const behind =
    kind === 'messages'
      ? sql`${taken} < (SELECT e.position FROM event_log e WHERE ${isOfRow} AND e.channel_seq IS NOT NULL ORDER BY e.channel_seq DESC LIMIT 1)`
      : sql`EXISTS (SELECT FROM event_log e WHERE ${isOfRow} AND e.type NOT IN ('colink.user.credential_revoked.v1', 'colink.user.redaction_requested.v1') AND e.position > ${taken})`;
  const parked = sql`EXISTS (SELECT FROM parked_keys p WHERE p.group_id = 'search-indexer' AND p.topic = ${topic} AND p.key = d.key)`;
  const noted = sql`(${side === 'next'}::boolean AND EXISTS (SELECT FROM search_rebuild_changes c WHERE c.kind = ${kind} AND c.id = d.id))`;
  return sql`(${noted} OR ${parked} OR coalesce(${behind}, false))`;
}
