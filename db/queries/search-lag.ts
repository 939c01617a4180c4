import { sql } from 'drizzle-orm';
import type { Queryable } from '../client.ts';
import { plannedOnce } from '../planned-once.ts';
import { callerRow } from './access.ts';

/** How far an index is behind what a caller could find in it: events, and since when the oldest of them waits. */
export interface IndexLag {
  readonly events: number;
  readonly seconds: number;
}

/** Of a channel, the newest so many events are counted; and of the channels that are behind, so many. */
const MOST_EVENTS = 1_000;
const MOST_CHANNELS = 20;
/** Of the log of everybody, the newest so many events are looked through. */
const RECENT_EVENTS = 5_000;

type Row = { events: number; seconds: number };
const lagOf = ([row]: readonly Row[]): IndexLag => ({ events: row?.events ?? 0, seconds: Math.max(0, Math.round(row?.seconds ?? 0)) });

/**
 * Of the caller's channels: what is drained of them, and not taken over by the group. Where nothing was written since, it costs two lookups a channel;
 * the day before the drain's mark is looked through, which leaves all other days of the log alone.
 */
export async function messageLag(db: Queryable, credentialId: string): Promise<IndexLag> {
  const isRead = sql`e.key = l.channel_id AND e.channel_seq <= l.drained_seq AND e.type LIKE 'colink.message.%'
    AND e.logged_at > l.drained_at - interval '1 day' AND e.logged_at <= l.drained_at`;
  return lagOf(await db.execute<Row>(plannedOnce(sql`
    SELECT coalesce(sum(late.events), 0)::float8 AS events, coalesce(extract(epoch FROM now() - min(late.since)), 0)::float8 AS seconds
    FROM (
      SELECT l.channel_id, l.drained_seq, l.drained_at, coalesce(k.position, 0) AS taken
      FROM (${callerRow(credentialId)}) me
      JOIN members mine ON mine.user_id = me.id
      JOIN conversation_logs l ON l.channel_id = mine.channel_id
      LEFT JOIN consumer_keys k ON k.group_id = 'search-indexer' AND k.topic = 'message.events' AND k.key = l.channel_id
      CROSS JOIN LATERAL (SELECT e.position FROM event_log e WHERE ${isRead} ORDER BY e.channel_seq DESC LIMIT 1) last
      WHERE last.position > coalesce(k.position, 0) LIMIT ${MOST_CHANNELS}
    ) l CROSS JOIN LATERAL (
      SELECT count(*) AS events, min(n.logged_at) AS since FROM (
        SELECT e.logged_at FROM event_log e WHERE ${isRead} AND e.channel_seq > l.drained_seq - ${MOST_EVENTS}::bigint AND e.position > l.taken
      ) n
    ) late`)));
}

/** Of everybody's profiles: among the newest events of the log. */
export async function peopleLag(db: Queryable): Promise<IndexLag> {
  return lagOf(await db.execute<Row>(recentLag('user.events', sql`e.type IN ('colink.user.created.v1', 'colink.user.updated.v1')`)));
}

/** Of the files of the caller's channels: among the newest events of the log. */
export async function fileLag(db: Queryable, credentialId: string): Promise<IndexLag> {
  const isMine = sql`(e.data -> 'file' ->> 'channel_id')::uuid IN (
    SELECT mine.channel_id FROM (${callerRow(credentialId)}) me JOIN members mine ON mine.user_id = me.id)`;
  return lagOf(await db.execute<Row>(recentLag('file.events', isMine)));
}

const recentLag = (topic: string, isWanted: ReturnType<typeof sql>) => sql`
  SELECT count(*)::float8 AS events, coalesce(extract(epoch FROM now() - min(e.logged_at)), 0)::float8 AS seconds
  FROM event_log e LEFT JOIN consumer_keys k ON k.group_id = 'search-indexer' AND k.topic = ${topic} AND k.key = e.key
  WHERE e.position > (SELECT s.last_value FROM event_log_position s) - ${RECENT_EVENTS}::bigint AND e.topic = ${topic}
    AND e.position > coalesce(k.position, 0) AND ${isWanted}`;
