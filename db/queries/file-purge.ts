import type postgres from 'postgres';
import { EVERYBODY } from './file-usage.ts';

/** Gives up the uploads that began before: whoever ran them is dead. Their bytes are free. How many. */
export async function abandonUploads(sql: postgres.Sql, startedBefore: Date, now: Date): Promise<number> {
  const overdue = await sql<{ id: string }[]>`
    SELECT id FROM file_uploads WHERE started_at < ${startedBefore.toISOString()}::timestamptz AND abandoned_at IS NULL ORDER BY started_at LIMIT 100`;
  let abandoned = 0;
  for (const { id } of overdue) if (await abandonOne(sql, id, now)) abandoned += 1;
  return abandoned;
}

/** One a transaction: the rows of usage are taken in the order in which uploads take them. */
const abandonOne = (sql: postgres.Sql, id: string, now: Date): Promise<boolean> =>
  sql.begin(async (tx) => {
    const [upload] = await tx<{ user_id: string; size: string }[]>`
      UPDATE file_uploads SET abandoned_at = ${now.toISOString()}::timestamptz WHERE id = ${id} AND abandoned_at IS NULL RETURNING user_id, size`;
    if (upload === undefined) return false;
    for (const owner of [upload.user_id, EVERYBODY]) await tx`UPDATE file_usage SET bytes = bytes - ${upload.size}::bigint WHERE user_id = ${owner}`;
    return true;
  });

/** Files that were deleted, and uploads that were given up, before: of which the store may still hold something. */
export async function findUnpurged(sql: postgres.ISql, before: Date, limit: number): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    (SELECT id FROM files WHERE deleted_at < ${before.toISOString()}::timestamptz AND purged_at IS NULL ORDER BY deleted_at LIMIT ${limit})
    UNION ALL
    (SELECT id FROM file_uploads WHERE abandoned_at < ${before.toISOString()}::timestamptz LIMIT ${limit})
    LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/** The store holds nothing of it any more. */
export async function markPurged(sql: postgres.ISql, id: string, now: Date): Promise<void> {
  await sql`
    WITH gone AS (DELETE FROM file_uploads WHERE id = ${id} AND abandoned_at IS NOT NULL)
    UPDATE files SET purged_at = ${now.toISOString()}::timestamptz WHERE id = ${id} AND deleted_at IS NOT NULL`;
}
