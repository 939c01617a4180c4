import { sql } from 'drizzle-orm';
import type { Bootstrap } from '../../protocol/api.ts';
import type { Asking, Bigint } from '../in-one-statement.ts';
import { callerRow } from './access.ts';

/** Where an inbox begins that has never been used. */
const BEGINNING = { epoch: 1, as_of_seq: 0 };

/** How far the caller's inbox is stored: read markers include exactly its events up to `as_of_seq` of `epoch`. Asks Postgres alone, not the inbox. */
export async function findMyInbox(db: Asking, credentialId: string): Promise<Bootstrap['inbox']> {
  const [row] = await db.execute<{ epoch: number; as_of_seq: Bigint }>(sql`
    SELECT l.epoch, l.drained_seq AS as_of_seq FROM (${callerRow(credentialId)}) me JOIN inbox_logs l ON l.user_id = me.id`);
  return row === undefined ? BEGINNING : { epoch: row.epoch, as_of_seq: Number(row.as_of_seq) };
}
