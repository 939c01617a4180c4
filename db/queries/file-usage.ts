import { sql } from 'drizzle-orm';
import type { Problem } from '../../protocol/errors.ts';
import type { Transaction } from '../client.ts';

/** Everybody's files together, in `file_usage`. */
export const EVERYBODY = '00000000-0000-0000-0000-000000000000';

/** Most bytes of a user, and of all together. */
export interface FileQuota {
  readonly user: number;
  readonly workspace: number;
}

/**
 * Counts `bytes` to a user and to all, or says whose quota they exceed: then the transaction has to end. The user's row is always taken before that of
 * all, so that no two transactions wait for each other; the rows' locks make the sum exact, however many upload at once.
 */
export async function reserveBytes(tx: Transaction, userId: string, bytes: number, quota: FileQuota): Promise<Problem | null> {
  if (!(await reserve(tx, userId, bytes, quota.user))) return { code: 'quota_exceeded', detail: `your files may have ${quota.user} bytes together` };
  if (!(await reserve(tx, EVERYBODY, bytes, quota.workspace))) return { code: 'quota_exceeded', detail: `all files may have ${quota.workspace} bytes together` };
  return null;
}

async function reserve(tx: Transaction, owner: string, bytes: number, most: number): Promise<boolean> {
  const rows = await tx.execute<{ bytes: string }>(sql`
    INSERT INTO file_usage AS u (user_id, bytes) SELECT ${owner}, ${bytes}::bigint WHERE ${bytes}::bigint <= ${most}::bigint
    ON CONFLICT (user_id) DO UPDATE SET bytes = u.bytes + excluded.bytes WHERE u.bytes + excluded.bytes <= ${most}::bigint
    RETURNING u.bytes`);
  return rows.length > 0;
}

export async function releaseBytes(tx: Transaction, userId: string, bytes: number): Promise<void> {
  for (const owner of [userId, EVERYBODY]) await tx.execute(sql`UPDATE file_usage SET bytes = bytes - ${bytes}::bigint WHERE user_id = ${owner}`);
}
