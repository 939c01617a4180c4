import type { TransactionSql } from 'postgres';
import type { Sql } from '../db/client.ts';

export interface PlainMessage {
  readonly id: string;
  readonly channel_id: string;
  readonly author_id: string;
  readonly client_msg_id: string;
  readonly text: string;
}

/** A message by one statement, which is its own transaction: the least a Worker without rooms could do. It has no order but that of a sequence. */
export async function insertStatement(sql: Sql | TransactionSql, message: PlainMessage): Promise<number> {
  const [row] = await sql<[{ seq: number }]>`
    INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
    SELECT ${message.id}, ${message.channel_id}, n.seq, n.seq, ${message.author_id}, ${message.client_msg_id}, ${message.text}, now()
    FROM (SELECT nextval('bench_seq') AS seq) n RETURNING seq::float8 AS seq`;
  return row.seq;
}

/** The same in a transaction that says so. */
export async function insertTransaction(sql: Sql, message: PlainMessage): Promise<number> {
  return await sql.begin((tx) => insertStatement(tx, message));
}

/** A message with what a send promises: the next place of its channel, without a hole, and an event in the outbox, in one transaction. */
export async function insertInOrder(sql: Sql, message: PlainMessage): Promise<number> {
  const { id, channel_id, author_id, client_msg_id, text } = message;
  return await sql.begin(async (tx) => {
    const [place] = await tx<[{ seq: number }]>`
      UPDATE conversation_logs SET drained_seq = drained_seq + 1, drained_pos = drained_pos + 1 WHERE channel_id = ${channel_id}
      RETURNING drained_seq::float8 AS seq`;
    const { seq } = place;
    await tx`INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
      VALUES (${id}, ${channel_id}, ${seq}, ${seq}, ${author_id}, ${client_msg_id}, ${text}, now())`;
    await tx`INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
      VALUES ('bench', ${channel_id}, ${id}, 'bench', ${seq}, ${JSON.stringify(message)}::text::jsonb)`;
    return seq;
  });
}

export async function prepareInserts(sql: Sql): Promise<void> {
  await sql`CREATE SEQUENCE IF NOT EXISTS bench_seq`;
}

/** How far a channel is drained; 0 before its first drain. */
export async function drainedSeq(sql: Sql, channelId: string): Promise<number> {
  const [row] = await sql<{ drained_seq: number }[]>`
    SELECT l.drained_seq::float8 AS drained_seq FROM conversation_logs l WHERE l.channel_id = ${channelId}`;
  return row?.drained_seq ?? 0;
}

/** Messages of a channel whose `client_msg_id` begins so: how many there are, and how many different ids. */
export async function countByPrefix(sql: Sql, channelId: string, prefix: string): Promise<{ rows: number; ids: number }> {
  const [counts] = await sql<[{ rows: number; ids: number }]>`
    SELECT count(*)::integer AS rows, count(DISTINCT m.client_msg_id)::integer AS ids
    FROM messages m WHERE m.channel_id = ${channelId} AND starts_with(m.client_msg_id, ${prefix})`;
  return counts;
}

/** A message in history and in the search index by one statement, as no Colink part would write it. */
export async function insertFindable(sql: Sql, message: PlainMessage): Promise<void> {
  const { id, channel_id, author_id, client_msg_id, text } = message;
  await sql`
    WITH n AS (SELECT nextval('bench_seq') AS seq), made AS (
      INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
      SELECT ${id}::uuid, ${channel_id}::uuid, n.seq, n.seq, ${author_id}::uuid, ${client_msg_id}, ${text}, now() FROM n
    )
    INSERT INTO search_messages (id, channel_id, author_id, seq, text)
    SELECT ${id}::uuid, ${channel_id}::uuid, ${author_id}::uuid, n.seq, ${text} FROM n`;
}

/** Members of a channel by one statement, of whom the room learns when they come. */
export async function insertMembers(sql: Sql, channelId: string, userIds: readonly string[]): Promise<void> {
  await sql`
    WITH moved AS (
      UPDATE channels SET members_version = members_version + ${userIds.length} WHERE id = ${channelId} RETURNING members_version
    )
    INSERT INTO members (channel_id, user_id, role, version, joined_at)
    SELECT ${channelId}, u.id::uuid, 'member', moved.members_version - u.n + 1, now()
    FROM moved, jsonb_array_elements_text(${JSON.stringify(userIds)}::text::jsonb) WITH ORDINALITY AS u (id, n)`;
}

/** Messages as a drain leaves them in history, from the JSON of their events by channel. */
export async function insertCreated(sql: Sql, events: readonly { readonly key: string; readonly data: string }[]): Promise<void> {
  await sql`
    INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
    SELECT (e.data ->> 'message_id')::uuid, e.key, (e.data ->> 'seq')::bigint, (e.data ->> 'pos')::bigint, (e.data ->> 'actor_id')::uuid, e.data ->> 'client_msg_id',
      e.data ->> 'text', (e.data ->> 'at')::timestamptz
    FROM (SELECT (r.value ->> 'key')::uuid AS key, (r.value ->> 'data')::jsonb AS data FROM json_array_elements(${JSON.stringify(events)}::text::json) r (value)) e`;
}

/** An event for the outbox; `data` is its JSON text. */
export interface OutboxEvent {
  readonly key: string;
  readonly id: string;
  readonly seq: number;
  readonly data: string;
}

/** Appends events to `message.events` of the outbox in their order, in one transaction, as a drain does. Returns their positions. */
export async function appendEvents(sql: Sql, events: readonly OutboxEvent[]): Promise<number[]> {
  const rows = await sql<{ position: number }[]>`
    INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
    SELECT 'message.events', (r.value ->> 'key')::uuid, (r.value ->> 'id')::uuid, 'colink.message.created.v1', (r.value ->> 'seq')::bigint, (r.value ->> 'data')::jsonb
    FROM json_array_elements(${JSON.stringify(events)}::text::json) WITH ORDINALITY AS r (value, place) ORDER BY r.place
    RETURNING position::float8 AS position`;
  return rows.map(({ position }) => position);
}
