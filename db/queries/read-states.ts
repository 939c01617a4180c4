import { sql } from 'drizzle-orm';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable } from '../client.ts';
import { refuseReader, standingColumns, standingTables, type Standing } from './access.ts';

/** Moves the caller's read marker up to `readPos`; it never goes down. Answers where it stands. */
export async function raiseReadPos(db: Queryable, credentialId: string, channelId: string, readPos: number): Promise<Outcome<number>> {
  const [row] = await db.execute<Standing & { read_pos: string | null; [column: string]: unknown }>(sql`
    WITH standing AS (SELECT me.id AS user_id, ch.id AS channel_id, ${standingColumns} FROM ${standingTables(credentialId, channelId)}),
    raised AS (
      INSERT INTO read_states AS r (user_id, channel_id, read_pos)
      SELECT s.user_id, s.channel_id, ${readPos}::bigint FROM standing s WHERE s.my_role IS NOT NULL
      ON CONFLICT (user_id, channel_id) DO UPDATE SET read_pos = greatest(r.read_pos, excluded.read_pos), updated_at = now()
      RETURNING r.read_pos
    )
    SELECT s.user_role, s.kind, s.my_role, raised.read_pos FROM standing s LEFT JOIN raised ON true`);
  const problem = refuseReader(row);
  return problem ? { problem } : { ok: Number(row?.read_pos) };
}
