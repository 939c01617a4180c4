import { sql, type SQL } from 'drizzle-orm';
import { MAX_EVENTS_PER_MS } from '../../protocol/limits.ts';
import { firstIdOf } from '../../protocol/primitives.ts';
import type { Queryable } from '../client.ts';
import type { Listing } from './messages.ts';

/** A moment in a listing: the millisecond of a message's id, and its `seq` modulo `MAX_EVENTS_PER_MS`; there need be no such message. */
interface Moment {
  readonly ms: number;
  readonly remainder: number;
}

/** The counters of the last message before a moment, and of the last one that is not after it. */
interface Place {
  readonly before: number;
  readonly through: number;
}

/**
 * Where a moment falls in a listing. Ids rise with the counter, which has no gaps, so it is found by halving: some twenty looks at an index, however long the
 * listing is (G8).
 */
export async function findMoment(db: Queryable, listing: Listing, { ms, remainder }: Moment): Promise<Place> {
  const { counter, rows, last } = shapeOf(listing);
  const [found] = await db.execute<{ place: string }>(sql`
    WITH RECURSIVE search (low, high) AS (
      SELECT 0::bigint, coalesce(${last}, 0)
      UNION ALL
      SELECT CASE WHEN p.is_before THEN p.middle ELSE s.low END, CASE WHEN p.is_before THEN s.high ELSE p.middle - 1 END
      FROM search s CROSS JOIN LATERAL (
        SELECT k.middle, coalesce((SELECT m.id < ${firstIdOf(ms)} FROM messages m WHERE ${rows} AND ${counter} = k.middle), true) AS is_before
        FROM (SELECT (s.low + s.high + 1) / 2 AS middle) k
      ) p
      WHERE s.low < s.high
    )
    SELECT s.low AS place FROM search s WHERE s.low >= s.high`);
  const place = Number(found?.place ?? 0);
  const same = await db.execute<{ counter: string; remainder: number }>(sql`
    SELECT ${counter} AS counter, (m.seq % ${MAX_EVENTS_PER_MS})::integer AS remainder FROM messages m
    WHERE ${rows} AND ${counter} > ${place} AND ${counter} <= ${place + MAX_EVENTS_PER_MS} AND m.id >= ${firstIdOf(ms)} AND m.id < ${firstIdOf(ms + 1)}`);
  const exact = same.find((row) => row.remainder === remainder);
  if (exact) return { before: Number(exact.counter) - 1, through: Number(exact.counter) };
  const between = place + same.filter((row) => row.remainder < remainder).length;
  return { before: between, through: between };
}

function shapeOf({ channelId, threadId }: Listing): { counter: SQL; rows: SQL; last: SQL } {
  if (threadId === null) {
    return { counter: sql`m.pos`, rows: sql`m.channel_id = ${channelId} AND m.thread_id IS NULL`, last: sql`(SELECT l.drained_pos FROM conversation_logs l WHERE l.channel_id = ${channelId})` };
  }
  return {
    counter: sql`m.tpos`,
    rows: sql`m.thread_id = ${threadId} AND m.channel_id = ${channelId}`,
    last: sql`(SELECT th.last_tpos FROM threads th WHERE th.root_id = ${threadId} AND th.channel_id = ${channelId})`,
  };
}
