import type { Sql } from '../../db/client.ts';
import type { Topic } from '../../protocol/topics.ts';
import type { TopicRecord } from '../support/topic.ts';
import type { ThreadCount } from './counters.ts';

/** A topic's rows of the event log, in position order. */
export async function readTopicRows(sql: Sql, topic: Topic): Promise<TopicRecord[]> {
  return sql<TopicRecord[]>`
    SELECT e.position::float8 AS position, e.key::text AS key, e.data::text AS value FROM event_log e WHERE e.topic = ${topic} ORDER BY e.position`;
}

/** How far each channel is drained. */
export async function readDrained(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql<{ channel_id: string; seq: number }[]>`SELECT l.channel_id, l.drained_seq::float8 AS seq FROM conversation_logs l`;
  return new Map(rows.map(({ channel_id, seq }) => [channel_id, seq]));
}

export interface StoredCounters {
  readonly drained_seq: number;
  readonly drained_pos: number;
  readonly threads: ReadonlyMap<string, ThreadCount>;
  /** By user, up to which `pos` they have read. */
  readonly read: ReadonlyMap<string, number>;
}

/** What Postgres counts of a channel. */
export async function readChannelCounters(sql: Sql, channelId: string): Promise<StoredCounters> {
  const [log] = await sql<{ drained_seq: number; drained_pos: number }[]>`
    SELECT l.drained_seq::float8 AS drained_seq, l.drained_pos::float8 AS drained_pos FROM conversation_logs l WHERE l.channel_id = ${channelId}`;
  const threads = await sql<({ root_id: string } & ThreadCount)[]>`
    SELECT t.root_id, t.reply_count AS replies, t.last_tpos::float8 AS last_tpos FROM threads t WHERE t.channel_id = ${channelId}`;
  const read = await sql<{ user_id: string; read_pos: number }[]>`
    SELECT r.user_id, r.read_pos::float8 AS read_pos FROM read_states r WHERE r.channel_id = ${channelId}`;
  return {
    drained_seq: log?.drained_seq ?? 0,
    drained_pos: log?.drained_pos ?? 0,
    threads: new Map(threads.map(({ root_id, replies, last_tpos }) => [root_id, { replies, last_tpos }])),
    read: new Map(read.map(({ user_id, read_pos }) => [user_id, read_pos])),
  };
}

interface SearchCount {
  readonly word: string;
  /** By the index on words. */
  readonly indexed: number;
  /** By a look at every row. */
  readonly scanned: number;
}

export async function readSearchCounts(sql: Sql, words: readonly string[]): Promise<SearchCount[]> {
  const [indexed, scanned] = [await countHits(sql, words, 'index'), await countHits(sql, words, 'rows')];
  return words.map((word, n) => ({ word, indexed: indexed[n] ?? 0, scanned: scanned[n] ?? 0 }));
}

async function countHits(sql: Sql, words: readonly string[], by: 'index' | 'rows'): Promise<number[]> {
  return sql.begin(async (tx) => {
    const [on, off] = by === 'index' ? ['enable_bitmapscan', 'enable_seqscan'] : ['enable_seqscan', 'enable_bitmapscan'];
    await tx`SELECT set_config(${on}, 'on', true), set_config(${off}, 'off', true), set_config('enable_indexscan', 'off', true)`;
    const hits: number[] = [];
    for (const word of words) {
      const [{ count }] = await tx<[{ count: number }]>`SELECT count(*)::integer AS count FROM search_messages s WHERE s.tsv @@ plainto_tsquery('simple', ${word})`;
      hits.push(count);
    }
    return hits;
  });
}
