import type { Topic } from '../../protocol/topics.ts';
import type { Sql } from '../client.ts';

export interface StoredEvent {
  readonly seq: number;
  /** The event as on the wire. */
  readonly json: string;
}

/** The topic of a log, and whose it is: a channel's id or a user's. */
export interface StoredLog {
  readonly topic: Extract<Topic, 'message.events' | 'user.events'>;
  readonly key: string;
}

/** A log's stored events between two numbers, both exclusive, in order, at most `limit`. Gaps: never stored, or past retention. */
export async function storedEvents(sql: Sql, { topic, key }: StoredLog, after: number, before: number, limit: number): Promise<StoredEvent[]> {
  return await sql<StoredEvent[]>`
    SELECT e.channel_seq::float8 AS seq, e.data::text AS json
    FROM event_log e
    WHERE e.key = ${key} AND e.channel_seq > ${after} AND e.channel_seq < ${before} AND e.topic = ${topic}
    ORDER BY e.channel_seq LIMIT ${limit}`;
}

/** The numbers between the two, both exclusive, whose events the drain had to skip. */
export async function poisonedSeqs(sql: Sql, { topic, key }: StoredLog, after: number, before: number): Promise<number[]> {
  const rows = await sql<{ seq: number }[]>`
    SELECT (d.headers ->> 'channel_seq')::float8 AS seq
    FROM dead_letters d
    WHERE d.stage = 'drain' AND d.topic = ${topic} AND d.record_key = convert_to(${key}::text, 'UTF8')
      AND (d.headers ->> 'channel_seq')::bigint > ${after} AND (d.headers ->> 'channel_seq')::bigint < ${before}`;
  return rows.map((row) => row.seq);
}
