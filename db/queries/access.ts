import { sql, type SQL } from 'drizzle-orm';
import type { Problem } from '../../protocol/errors.ts';
import type { MemberRole } from '../../protocol/events.ts';
import type { User } from '../../protocol/api.ts';

/**
 * The caller, as long as the credential lives: no row once it is revoked or expired, or its user deactivated. Every statement that reads for
 * someone starts from it, so that no cache of identities can outlive a revocation (G5).
 */
export const callerRow = (credentialId: string): SQL => sql`
  SELECT u.id, u.role FROM credentials c JOIN users u ON u.id = c.user_id
  WHERE c.id = ${credentialId} AND c.revoked_at IS NULL AND c.expires_at > now() AND u.deactivated_at IS NULL`;

/** What a statement that starts from `callerRow` says of the caller and a channel; `kind` null: no such channel. */
export interface Standing {
  readonly user_role: User['role'];
  readonly kind: 'public' | 'private' | 'direct' | null;
  readonly my_role: MemberRole | null;
}

/** Columns of `Standing`, for `FROM (callerRow) me LEFT JOIN channels ch … LEFT JOIN members mine …`. */
export const standingColumns = sql`me.role AS user_role, ch.kind, mine.role AS my_role`;
export const standingTables = (credentialId: string, channelId: string): SQL => sql`
  (${callerRow(credentialId)}) me
  LEFT JOIN channels ch ON ch.id = ${channelId}
  LEFT JOIN members mine ON mine.channel_id = ch.id AND mine.user_id = me.id`;

/** Who may know that a channel is there: its members, and for a public one everybody but guests. */
export const maySee = ({ kind, my_role, user_role }: Standing): boolean => my_role !== null || (kind === 'public' && user_role !== 'guest');

export function refuseViewer(standing: Standing | undefined): Problem | null {
  if (standing === undefined) return { code: 'unauthenticated' };
  return maySee(standing) ? null : { code: 'not_found' };
}

/** Conversation is for members alone. */
export function refuseReader(standing: Standing | undefined): Problem | null {
  return refuseViewer(standing) ?? (standing?.my_role === null ? { code: 'not_a_member' } : null);
}
