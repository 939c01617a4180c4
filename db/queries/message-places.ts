import { sql, type SQL } from 'drizzle-orm';
import type { MessagePlace } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable } from '../client.ts';
import { callerRow, standingColumns, standingTables } from './access.ts';

/**
 * The lowest `pos` from which on all messages of a channel are of `at` or later; one above the last where there are none, and 1 for who is no member. Ids of a channel
 * rise with `pos`, whatever its clocks did, so the time is that of the id: halving finds it in some twenty steps, each of which is one row of `messages_history`.
 * By `created_at` it would need an index of its own, and would be no order.
 */
export async function findPosAt(db: Queryable, credentialId: string, channelId: string, at: Date): Promise<number> {
  const [row] = await db.execute<{ pos: string }>(posAtStatement(credentialId, channelId, at));
  return Number(row?.pos ?? 1);
}

export function posAtStatement(credentialId: string, channelId: string, at: Date): SQL {
  const time = new Date(Math.max(0, at.getTime())).toISOString();
  return sql`
    WITH RECURSIVE s AS (
      SELECT ${standingColumns}, l.drained_pos, uuid_floor(${time}::timestamptz) AS floor FROM ${standingTables(credentialId, channelId)}
      JOIN conversation_logs l ON l.channel_id = ch.id
    ), halves (low, high) AS (
      SELECT 1::bigint, s.drained_pos + 1 FROM s WHERE s.my_role IS NOT NULL
      UNION ALL
      SELECT CASE WHEN x.id < s.floor THEN x.pos + 1 ELSE b.low END, CASE WHEN x.id < s.floor THEN b.high ELSE b.middle END
      FROM (SELECT h.low, h.high, (h.low + h.high) / 2 AS middle FROM halves h WHERE h.low < h.high) b CROSS JOIN s
      LEFT JOIN LATERAL (
        SELECT m.id, m.pos FROM messages m
        WHERE m.channel_id = ${channelId} AND m.thread_id IS NULL AND m.pos >= b.middle AND m.pos < b.high ORDER BY m.pos LIMIT 1
      ) x ON true
    )
    SELECT h.low AS pos FROM halves h WHERE h.low >= h.high`;
}

type Row = { [K in 'message_id' | 'channel_id' | 'pos' | 'thread_id' | 'tpos' | 'history_pos']: string | null } & { [column: string]: unknown };

/** Where a message is, for members of its channel; `not_found` for all others, be there such a message or not. */
export async function findPlace(db: Queryable, credentialId: string, messageId: string): Promise<Outcome<Omit<MessagePlace, 'path'>>> {
  const [row] = await db.execute<Row>(sql`
    SELECT p.* FROM (${callerRow(credentialId)}) me
    LEFT JOIN LATERAL (
      SELECT m.id AS message_id, m.channel_id, m.pos, m.thread_id, m.tpos, coalesce(m.pos, root.pos) AS history_pos
      FROM messages m
      JOIN members mine ON mine.channel_id = m.channel_id AND mine.user_id = me.id
      LEFT JOIN messages root ON root.id = m.thread_id
      WHERE m.id = ${messageId}
    ) p ON true`);
  if (!row) return { problem: { code: 'unauthenticated' } };
  const { message_id, channel_id, thread_id } = row;
  if (message_id === null || channel_id === null) return { problem: { code: 'not_found' } };
  const counter = (value: string | null): number | null => (value === null ? null : Number(value));
  return { ok: { message_id, channel_id, pos: counter(row.pos), thread_id, tpos: counter(row.tpos), history_pos: Number(row.history_pos) } };
}
