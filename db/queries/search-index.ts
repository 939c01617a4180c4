import type postgres from 'postgres';

/** What a batch leaves of one message: a row to put, a new text for the row that is there, or nothing. */
export type IndexChange =
  | { readonly op: 'put'; readonly id: string; readonly channel_id: string; readonly author_id: string; readonly seq: number; readonly text: string }
  | { readonly op: 'edit'; readonly id: string; readonly seq: number; readonly text: string }
  | { readonly op: 'delete'; readonly id: string; readonly seq: number };

/** `deactivated` null: as it was. */
export interface PersonChange {
  readonly id: string;
  readonly handle: string;
  readonly display_name: string;
  readonly version: number;
  readonly deactivated: boolean | null;
}

export type FileChange =
  | { readonly op: 'put'; readonly id: string; readonly channel_id: string; readonly uploader_id: string; readonly name: string; readonly version: number }
  | { readonly op: 'remove'; readonly id: string; readonly version: number };

/** Which of the tables of an index: the one searches read, or the one a rebuild fills. */
export type IndexSide = 'live' | 'next';
const tableOf = (kind: string, side: IndexSide): string => (side === 'live' ? `search_${kind}` : `search_${kind}_next`);

/*
 * Each statement also writes down what it changes of the live index while that is rebuilt. A statement that does not see the rebuild yet saw `messages`,
 * `users` and `files` at least as far as its events before the rebuild began to read them, so nothing of it is missed.
 */

/**
 * Applies at most one change a message. A change older than the row it meets does nothing, so a replay never takes the index back. Nor does a
 * message that comes after its own edits and its deletion, as a dead letter redriven does: `messages` is ahead of every log, and knows them.
 */
export async function applyIndexChanges(tx: postgres.ISql, changes: readonly IndexChange[], side: IndexSide = 'live'): Promise<void> {
  if (changes.length === 0) return;
  const table = tx(tableOf('messages', side));
  await tx`
    WITH change AS MATERIALIZED (
      SELECT c.op, c.id, c.channel_id, c.author_id, c.seq, c.text FROM json_to_recordset(${JSON.stringify(changes)}::text::json)
        AS c (op text, id uuid, channel_id uuid, author_id uuid, seq bigint, text text)
    ), noted AS (
      INSERT INTO search_rebuild_changes (kind, id)
      SELECT 'messages', c.id FROM change c WHERE ${side === 'live'}::boolean AND (SELECT is_rebuilding('messages')) ON CONFLICT DO NOTHING
    ), deleted AS (
      DELETE FROM ${table} s USING change c WHERE c.op = 'delete' AND s.id = c.id AND s.seq < c.seq
    ), edited AS (
      UPDATE ${table} s SET text = c.text, seq = c.seq FROM change c WHERE c.op = 'edit' AND s.id = c.id AND s.seq < c.seq
    )
    INSERT INTO ${table} AS s (id, channel_id, author_id, seq, text)
    SELECT c.id, c.channel_id, c.author_id, c.seq, coalesce(m.text, c.text)
    FROM change c LEFT JOIN messages m ON m.id = c.id WHERE c.op = 'put' AND m.deleted_at IS NULL
    ON CONFLICT (id) DO UPDATE SET text = excluded.text, seq = excluded.seq WHERE s.seq < excluded.seq`;
}

/** Applies at most one change a person; one older than the row it meets does nothing. */
export async function applyPeopleChanges(tx: postgres.ISql, changes: readonly PersonChange[], side: IndexSide = 'live'): Promise<void> {
  if (changes.length === 0) return;
  const table = tx(tableOf('people', side));
  await tx`
    WITH change AS MATERIALIZED (
      SELECT c.id, c.handle, c.display_name, c.version, c.deactivated FROM json_to_recordset(${JSON.stringify(changes)}::text::json)
        AS c (id uuid, handle text, display_name text, version integer, deactivated boolean)
    ), noted AS (
      INSERT INTO search_rebuild_changes (kind, id)
      SELECT 'people', c.id FROM change c WHERE ${side === 'live'}::boolean AND (SELECT is_rebuilding('people')) ON CONFLICT DO NOTHING
    )
    INSERT INTO ${table} AS s (id, handle, display_name, version, deactivated)
    SELECT c.id, c.handle, c.display_name, c.version, coalesce(c.deactivated, before.deactivated, false)
    FROM change c LEFT JOIN ${table} before ON before.id = c.id
    ON CONFLICT (id) DO UPDATE SET handle = excluded.handle, display_name = excluded.display_name, version = excluded.version,
      deactivated = excluded.deactivated WHERE s.version < excluded.version`;
}

/** Applies at most one change a file. One that comes after a later change of its file, as a dead letter redriven does, is held against `files`. */
export async function applyFileChanges(tx: postgres.ISql, changes: readonly FileChange[], side: IndexSide = 'live'): Promise<void> {
  if (changes.length === 0) return;
  const table = tx(tableOf('files', side));
  await tx`
    WITH change AS MATERIALIZED (
      SELECT c.op, c.id, c.channel_id, c.uploader_id, c.name, c.version FROM json_to_recordset(${JSON.stringify(changes)}::text::json)
        AS c (op text, id uuid, channel_id uuid, uploader_id uuid, name text, version integer)
    ), noted AS (
      INSERT INTO search_rebuild_changes (kind, id)
      SELECT 'files', c.id FROM change c WHERE ${side === 'live'}::boolean AND (SELECT is_rebuilding('files')) ON CONFLICT DO NOTHING
    ), removed AS (
      DELETE FROM ${table} s USING change c WHERE c.op = 'remove' AND s.id = c.id AND s.version < c.version
    )
    INSERT INTO ${table} AS s (id, channel_id, uploader_id, name, version)
    SELECT c.id, c.channel_id, c.uploader_id, c.name, c.version
    FROM change c LEFT JOIN files f ON f.id = c.id AND f.version > c.version
    WHERE c.op = 'put' AND (f.id IS NULL OR (f.status = 'clean' AND f.deleted_at IS NULL))
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version WHERE s.version < excluded.version`;
}
