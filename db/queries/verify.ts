import type { Sql } from '../client.ts';

/** Queries of the import's check. They read whole channels, a thousand rows at a time; no request handler uses them. */
const ROWS = 1_000;

/** A message as `messages` or `search_messages` holds it. The fields are null where the store has no such message, or none of that origin. */
export interface HeldMessage {
  readonly client_msg_id: string | null;
  readonly text: string;
  readonly author: string | null;
  readonly sent_at: string | null;
}

/** All messages of a channel in the order of history; thread replies come last. */
export async function* heldMessages(sql: Sql, channelId: string): AsyncGenerator<HeldMessage> {
  const pages = sql<HeldMessage[]>`
    SELECT m.client_msg_id, m.text, m.origin ->> 'author' AS author, m.origin ->> 'sent_at' AS sent_at
    FROM messages m WHERE m.channel_id = ${channelId} ORDER BY m.pos NULLS LAST, m.seq`.cursor(ROWS);
  for await (const page of pages) yield* page;
}

/** All rows of a channel in the search index, in the order of history of the messages they were folded from; rows of no message come last. */
export async function* indexedMessages(sql: Sql, channelId: string): AsyncGenerator<HeldMessage> {
  const pages = sql<HeldMessage[]>`
    SELECT m.client_msg_id, s.text, m.origin ->> 'author' AS author, m.origin ->> 'sent_at' AS sent_at
    FROM search_messages s LEFT JOIN messages m ON m.id = s.id
    WHERE s.channel_id = ${channelId} ORDER BY m.pos NULLS LAST, s.id`.cursor(ROWS);
  for await (const page of pages) yield* page;
}

export interface LoggedEvent {
  readonly position: number;
  readonly channel_seq: number;
  readonly data: unknown;
}

/** A channel's events in `event_log`, in commit order. */
export async function* loggedEvents(sql: Sql, channelId: string): AsyncGenerator<LoggedEvent> {
  const pages = sql<LoggedEvent[]>`
    SELECT e.position::float8 AS position, e.channel_seq::float8 AS channel_seq, e.data
    FROM event_log e WHERE e.key = ${channelId} AND e.topic = 'message.events' AND e.channel_seq IS NOT NULL
    ORDER BY e.position`.cursor(ROWS);
  for await (const page of pages) yield* page;
}

export interface HeldCounts {
  readonly messages: number;
  readonly indexed: number;
}

/** How many messages of a channel Postgres and the search index hold now. */
export async function heldCounts(sql: Sql, channelId: string): Promise<HeldCounts> {
  const [counts] = await sql<[HeldCounts]>`
    SELECT (SELECT count(*)::integer FROM messages m WHERE m.channel_id = ${channelId}) AS messages,
      (SELECT count(*)::integer FROM search_messages s WHERE s.channel_id = ${channelId}) AS indexed`;
  return counts;
}
