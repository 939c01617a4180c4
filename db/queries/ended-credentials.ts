import { sql } from 'drizzle-orm';
import type { Queryable } from '../client.ts';

/** Why a secret that was somebody's is good for nothing any more; null: it never was one, or is good. Whoever has the secret may know. */
export async function findEnded(db: Queryable, secretHash: Uint8Array): Promise<'account_inactive' | 'token_revoked' | 'token_expired' | null> {
  const hex = Array.from(secretHash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const [row] = await db.execute<{ inactive: boolean; revoked: boolean; expired: boolean }>(sql`
    SELECT u.deactivated_at IS NOT NULL AS inactive, c.revoked_at IS NOT NULL AS revoked, c.expires_at <= now() AS expired
    FROM credentials c JOIN users u ON u.id = c.user_id WHERE c.secret_hash = decode(${hex}, 'hex')`);
  if (!row) return null;
  if (row.inactive) return 'account_inactive';
  if (row.revoked) return 'token_revoked';
  return row.expired ? 'token_expired' : null;
}
