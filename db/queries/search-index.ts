import type postgres from 'postgres';

/** What a batch leaves of one message: a row to put, a new text for the row that is there, or nothing. */
export type IndexChange =
  | { readonly op: 'put'; readonly id: string; readonly channel_id: string; readonly author_id: string; readonly seq: number; readonly text: string }
  | { readonly op: 'edit'; readonly id: string; readonly seq: number; readonly text: string }
  | { readonly op: 'delete'; readonly id: string; readonly seq: number };

/**
 * Applies at most one change a message. A change older than the row it meets does nothing, so a replay never takes the index back. Nor does a
 * message that comes after its own edits and its deletion, as a dead letter redriven does: `messages` is ahead of every log, and knows them.
 */
export async function applyIndexChanges(tx: postgres.ISql, changes: readonly IndexChange[]): Promise<void> {
  if (changes.length === 0) return;
  await tx`
    WITH change AS MATERIALIZED (
      SELECT c.op, c.id, c.channel_id, c.author_id, c.seq, c.text FROM json_to_recordset(${JSON.stringify(changes)}::text::json)
        AS c (op text, id uuid, channel_id uuid, author_id uuid, seq bigint, text text)
    ), deleted AS (
      DELETE FROM search_messages s USING change c WHERE c.op = 'delete' AND s.id = c.id AND s.seq < c.seq
    ), edited AS (
      UPDATE search_messages s SET text = c.text, seq = c.seq FROM change c WHERE c.op = 'edit' AND s.id = c.id AND s.seq < c.seq
    )
    INSERT INTO search_messages AS s (id, channel_id, author_id, seq, text)
    SELECT c.id, c.channel_id, c.author_id, c.seq, coalesce(m.text, c.text)
    FROM change c LEFT JOIN messages m ON m.id = c.id WHERE c.op = 'put' AND m.deleted_at IS NULL
    ON CONFLICT (id) DO UPDATE SET text = excluded.text, seq = excluded.seq WHERE s.seq < excluded.seq`;
}
