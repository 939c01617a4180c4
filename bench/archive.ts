import type { Sql } from '../db/client.ts';

/** What an archive of messages is made of; they are spread evenly over the channels. */
export interface ArchiveSpec {
  readonly channelIds: readonly string[];
  readonly authorIds: readonly string[];
  readonly texts: readonly string[];
  readonly messages: number;
}

/** Longest an archive reaches back: what partitions there are is what maintenance makes, of this month or the last days of the one before. */
const DAYS = 25;
const STATEMENT = 50_000;

/**
 * An archive as drain and search index would have left it: history, index and log positions, by statements of 50,000 messages. The channels must have no messages
 * yet, and no room. Postgres has read its statistics anew when this returns.
 */
export async function fillArchive(sql: Sql, spec: ArchiveSpec, report: (done: number) => void): Promise<void> {
  for (let from = 0; from < spec.messages; from += STATEMENT) {
    await insertArchived(sql, spec, from, Math.min(STATEMENT, spec.messages - from));
    report(Math.min(from + STATEMENT, spec.messages));
  }
  await setPositions(sql, spec);
  await sql`VACUUM (ANALYZE) messages, search_messages, conversation_logs`;
}

/** Ids are UUIDv7 of the times at which the messages would have been written. */
async function insertArchived(sql: Sql, { channelIds, authorIds, texts, messages }: ArchiveSpec, from: number, count: number): Promise<void> {
  await sql`
    WITH span AS (SELECT greatest(date_trunc('month', now() - interval '2 days'), now() - make_interval(days => ${DAYS})) AS since),
    given AS (
      SELECT (SELECT array_agg(v) FROM json_array_elements_text(${JSON.stringify(channelIds)}::text::json) v) AS channels,
             (SELECT array_agg(v) FROM json_array_elements_text(${JSON.stringify(authorIds)}::text::json) v) AS authors,
             (SELECT array_agg(v) FROM json_array_elements_text(${JSON.stringify(texts)}::text::json) v) AS texts
    ),
    numbered AS (
      SELECT n, n / ${channelIds.length} + 1 AS pos, s.since + (now() - s.since) * (n::float8 / ${messages}) AS at,
        g.channels[n % ${channelIds.length} + 1]::uuid AS channel_id, g.authors[n % ${authorIds.length} + 1]::uuid AS author_id,
        g.texts[(n / ${channelIds.length} + n) % ${texts.length} + 1] AS text
      FROM generate_series(${from}::int, ${from + count - 1}::int) n, span s, given g
    ),
    timed AS (
      SELECT *, encode(substring(int8send(floor(extract(epoch FROM at) * 1000)::bigint) FROM 3) || substring(uuid_send(gen_random_uuid()) FROM 7), 'hex') AS hex FROM numbered
    ),
    made AS (
      INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
      SELECT overlay(hex PLACING '7' FROM 13 FOR 1)::uuid, channel_id, pos, pos, author_id, 'archive-' || n, text, at FROM timed
      RETURNING id, channel_id, author_id, seq, text
    )
    INSERT INTO search_messages (id, channel_id, author_id, seq, text) SELECT id, channel_id, author_id, seq, text FROM made`;
}

async function setPositions(sql: Sql, { channelIds }: ArchiveSpec): Promise<void> {
  await sql`
    INSERT INTO conversation_logs (channel_id, drained_seq, drained_pos, drained_at)
    SELECT channel_id, max(seq), max(pos), now() FROM messages WHERE channel_id = ANY (ARRAY(SELECT v::uuid FROM json_array_elements_text(${JSON.stringify(channelIds)}::text::json) v))
    GROUP BY channel_id
    ON CONFLICT (channel_id) DO UPDATE SET drained_seq = excluded.drained_seq, drained_pos = excluded.drained_pos, drained_at = excluded.drained_at`;
}
