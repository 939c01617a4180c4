import { sql } from 'drizzle-orm';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable } from '../client.ts';
import { callerRow, maySee, type Standing } from './access.ts';

type Row = Standing & { id: string; [column: string]: unknown };

/** The id of a channel that the caller may know of, by its name, whatever its case. */
export async function findChannelByName(db: Queryable, credentialId: string, name: string): Promise<Outcome<string>> {
  const [row] = await db.execute<Row>(sql`
    SELECT ch.id, ch.kind, mine.role AS my_role, me.role AS user_role FROM (${callerRow(credentialId)}) me
    JOIN channels ch ON lower(ch.name) = lower(${name}::text) LEFT JOIN members mine ON mine.channel_id = ch.id AND mine.user_id = me.id`);
  return row && maySee(row) ? { ok: row.id } : { problem: { code: 'not_found' } };
}
