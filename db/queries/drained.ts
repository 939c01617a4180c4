import { sql } from 'drizzle-orm';
import type { Queryable } from '../client.ts';

/** How far a channel's log has come in Postgres; null: there is no such channel. */
export async function findDrained(db: Queryable, channelId: string): Promise<{ readonly epoch: number; readonly seq: number } | null> {
  const [row] = await db.execute<{ epoch: number; drained_seq: string }>(sql`SELECT l.epoch, l.drained_seq FROM conversation_logs l WHERE l.channel_id = ${channelId}`);
  return row ? { epoch: row.epoch, seq: Number(row.drained_seq) } : null;
}
