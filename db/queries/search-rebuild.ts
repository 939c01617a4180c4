import type postgres from 'postgres';
import type { Sql } from '../client.ts';
import type { SearchKind } from '../schema/search-tables.ts';

type AnySql = postgres.ISql;

export interface Rebuild {
  readonly kind: SearchKind;
  readonly source: 'postgres' | 'log';
  readonly config: string | null;
  readonly state: 'filling' | 'filled' | 'swapped';
  readonly cursor: string | null;
  readonly filled: number;
  /** Nobody has worked on it for so many seconds. */
  readonly idleSeconds: number;
}

/** Seconds after which a rebuild that nobody worked on is not to be resumed: half of the time for which the group writes down what it changes. */
export const RESUMABLE_SECONDS = 12 * 60 * 60;
const NIL = '00000000-0000-0000-0000-000000000000';

export async function readRebuild(sql: AnySql, kind: SearchKind): Promise<Rebuild | null> {
  const [row] = await sql<Rebuild[]>`
    SELECT r.kind, r.source, r.config, r.state, r.cursor, r.filled::float8 AS filled, extract(epoch FROM now() - r.updated_at)::float8 AS "idleSeconds"
    FROM search_rebuilds r WHERE r.kind = ${kind}`;
  return row ?? null;
}

/** The same, held until the transaction ends: two who rebuild take turns. */
async function lockRebuild(tx: AnySql, kind: SearchKind, state: Rebuild['state']): Promise<Rebuild | null> {
  await tx`SELECT r.kind FROM search_rebuilds r WHERE r.kind = ${kind} FOR UPDATE`;
  const rebuild = await readRebuild(tx, kind);
  return rebuild?.state === state ? rebuild : null;
}

/** The configuration an index was made with; null where it has none. */
export async function readIndexConfig(sql: AnySql, kind: SearchKind): Promise<string | null> {
  const [row] = await sql<{ config: string | null }[]>`SELECT i.config FROM search_indexes i WHERE i.kind = ${kind}`;
  return row?.config ?? null;
}

export async function isTextConfig(sql: AnySql, config: string): Promise<boolean> {
  const rows = await sql`SELECT FROM pg_ts_config c WHERE c.cfgname = ${config} AND pg_ts_config_is_visible(c.oid)`;
  return rows.length > 0;
}

/** Makes the empty table and notes the rebuild, in one. From its commit on the group writes down what it changes. */
export async function beginRebuild(sql: Sql, { kind, source, config }: Pick<Rebuild, 'kind' | 'source' | 'config'>): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`INSERT INTO search_rebuilds (kind, source, config) VALUES (${kind}, ${source}, ${config})`;
    await tx`SELECT create_next_search_table(${kind}, ${config})`;
  });
}

/** That somebody works on it. False: it is not there, or has lain still for too long. */
export async function touchRebuild(sql: AnySql, kind: SearchKind): Promise<boolean> {
  const rows = await sql`
    UPDATE search_rebuilds SET updated_at = now() WHERE kind = ${kind} AND updated_at > now() - make_interval(secs => ${RESUMABLE_SECONDS}) RETURNING kind`;
  return rows.length > 0;
}

/** What a step did: rows of the source it passed, and whether there may be more. */
export interface Filled {
  readonly rows: number;
  readonly more: boolean;
}

/** Fills in the next rows by id, and where it stands, in one transaction. */
export function fillPage(sql: Sql, kind: SearchKind, size: number): Promise<Filled> {
  return sql.begin(async (tx) => {
    const rebuild = await lockRebuild(tx, kind, 'filling');
    if (rebuild === null) return { rows: 0, more: false };
    const after = rebuild.cursor ?? NIL;
    const { last, rows } = await pageEnd(tx, kind, after, size);
    if (last === null) return { rows: 0, more: false };
    const inserted = await insertRows(tx, kind, tx`s.id > ${after} AND s.id <= ${last}`);
    await saveFilled(tx, kind, last, inserted);
    return { rows, more: rows === size };
  });
}

/** For a rebuild from the log: `fill` puts its rows, if the rebuild still stands at `from`; returns whether it did. */
export function fillFrom(sql: Sql, kind: SearchKind, from: string | null, to: string, fill: (tx: postgres.TransactionSql) => Promise<number>): Promise<boolean> {
  return sql.begin(async (tx) => {
    const rebuild = await lockRebuild(tx, kind, 'filling');
    if (rebuild === null || rebuild.cursor !== from) return false;
    await saveFilled(tx, kind, to, await fill(tx));
    return true;
  });
}

async function saveFilled(tx: AnySql, kind: SearchKind, cursor: string, rows: number): Promise<void> {
  await tx`UPDATE search_rebuilds SET cursor = ${cursor}, filled = filled + ${rows}, updated_at = now() WHERE kind = ${kind}`;
}

export async function endFilling(sql: AnySql, kind: SearchKind): Promise<void> {
  await sql`UPDATE search_rebuilds SET state = 'filled', updated_at = now() WHERE kind = ${kind} AND state = 'filling'`;
}

/** The new table as searches will find it: every month there, and its statistics for the planner. */
export async function prepareNext(sql: AnySql, kind: SearchKind): Promise<void> {
  if (kind === 'messages') await sql`SELECT mirror_search_partitions()`;
  await sql`ANALYZE ${sql(`search_${kind}_next`)}`;
}

/** Reads once more, from the source, up to `most` rows that the group changed since the rebuild began. Returns how many. */
export function settleChanges(sql: Sql, kind: SearchKind, most: number): Promise<number> {
  return sql.begin(async (tx) => ((await lockRebuild(tx, kind, 'filled')) === null ? 0 : settle(tx, kind, most)));
}

async function settle(tx: AnySql, kind: SearchKind, most: number): Promise<number> {
  const changed = await tx<{ id: string }[]>`
    WITH part AS (SELECT c.id FROM search_rebuild_changes c WHERE c.kind = ${kind} LIMIT ${most})
    DELETE FROM search_rebuild_changes c USING part WHERE c.kind = ${kind} AND c.id = part.id RETURNING c.id::text AS id`;
  if (changed.length === 0) return 0;
  const ids = JSON.stringify(changed.map(({ id }) => id));
  const isOne = tx`IN (SELECT i.id::uuid FROM json_array_elements_text(${ids}::text::json) AS i (id))`;
  await tx`DELETE FROM ${tx(`search_${kind}_next`)} n WHERE n.id ${isOne}`;
  await insertRows(tx, kind, tx`s.id ${isOne}`);
  await tx`UPDATE search_rebuilds SET updated_at = now() WHERE kind = ${kind}`;
  return changed.length;
}

/** Most changes that are settled while nobody can search or index. */
const SWAP_CHANGES = 2_000;
/** Longest that searches wait behind a swap that waits for others, in milliseconds. */
const SWAP_PATIENCE_MS = 300;

/**
 * Swaps the tables: nobody reads or writes the index for this one short transaction, in which the last changes are settled. `busy`: too many were left.
 * @throws 55P03 where the locks were not to be had in time: nothing has happened.
 */
export function swapIndex(sql: Sql, kind: SearchKind): Promise<'swapped' | 'busy' | 'gone'> {
  return sql.begin(async (tx) => {
    await tx`SELECT set_config('lock_timeout', ${String(SWAP_PATIENCE_MS)}, true)`;
    const rebuild = await lockRebuild(tx, kind, 'filled');
    if (rebuild === null) return 'gone';
    const [live, next] = [`search_${kind}`, `search_${kind}_next`];
    await tx`LOCK TABLE ${tx(live)}, ${tx(next)} IN ACCESS EXCLUSIVE MODE`;
    if ((await countChanges(tx, kind)) > SWAP_CHANGES) return 'busy';
    await settle(tx, kind, SWAP_CHANGES);
    await tx`SELECT rename_search_table(${live}, ${`${live}_old`})`;
    await tx`SELECT rename_search_table(${next}, ${live})`;
    await tx`UPDATE search_indexes SET config = ${rebuild.config} WHERE kind = ${kind}`;
    await tx`UPDATE search_rebuilds SET state = 'swapped', cursor = NULL, updated_at = now() WHERE kind = ${kind}`;
    return 'swapped';
  });
}

export async function countChanges(sql: AnySql, kind: SearchKind): Promise<number> {
  const [row] = await sql<[{ count: number }]>`SELECT count(*)::float8 AS count FROM search_rebuild_changes c WHERE c.kind = ${kind}`;
  return row.count;
}

/** Ends a rebuild: one that was swapped loses the table it replaced, any other the one it was filling. */
export async function endRebuild(sql: Sql, { kind, state }: Pick<Rebuild, 'kind' | 'state'>): Promise<void> {
  await sql.begin(async (tx) => {
    if ((await lockRebuild(tx, kind, state)) === null) throw new Error(`the rebuild of ${kind} has gone on meanwhile`);
    await tx`DROP TABLE ${tx(`search_${kind}_${state === 'swapped' ? 'old' : 'next'}`)}`;
    await tx`DELETE FROM search_rebuild_changes WHERE kind = ${kind}`;
    await tx`DELETE FROM search_rebuilds WHERE kind = ${kind}`;
  });
}

/** The last id of a page of the source, and how many rows it has; null: there are none. */
async function pageEnd(tx: AnySql, kind: SearchKind, after: string, size: number): Promise<{ last: string | null; rows: number }> {
  const source = tx({ messages: 'messages', people: 'users', files: 'files' }[kind]);
  const [row] = await tx<[{ last: string | null; rows: number }]>`
    SELECT (array_agg(p.id ORDER BY p.id DESC))[1]::text AS last, count(*)::integer AS rows
    FROM (SELECT s.id FROM ${source} s WHERE s.id > ${after} ORDER BY s.id LIMIT ${size}) p`;
  return row;
}

/**
 * Puts what the source `s` has to be found, of the rows that `which` names. A message's `seq` is how far its channel is drained in the same snapshot: what
 * happened up to there is in the row, what comes later is newer than it.
 */
async function insertRows(tx: AnySql, kind: SearchKind, which: postgres.Fragment): Promise<number> {
  const { count } = await {
    messages: () => tx`
      INSERT INTO search_messages_next (id, channel_id, author_id, seq, text)
      SELECT s.id, s.channel_id, s.author_id, greatest(s.seq, coalesce(l.drained_seq, 0)), s.text
      FROM messages s LEFT JOIN conversation_logs l ON l.channel_id = s.channel_id WHERE s.deleted_at IS NULL AND ${which}`,
    people: () => tx`
      INSERT INTO search_people_next (id, handle, display_name, version, deactivated)
      SELECT s.id, s.handle, s.display_name, s.version, s.deactivated_at IS NOT NULL FROM users s WHERE ${which}`,
    files: () => tx`
      INSERT INTO search_files_next (id, channel_id, uploader_id, name, version)
      SELECT s.id, s.channel_id, s.uploader_id, s.name, s.version FROM files s WHERE s.status = 'clean' AND s.deleted_at IS NULL AND ${which}`,
  }[kind]();
  return count;
}
