import { sql, type SQL } from 'drizzle-orm';
import type { Problem } from '../../protocol/errors.ts';
import type { MemberRole } from '../../protocol/events.ts';
import type { User } from '../../protocol/api.ts';
import type { Queryable } from '../client.ts';
import { plannedOnce } from '../planned-once.ts';

/**
 * The caller, as long as the credential lives: no row once it is revoked or expired, or its user deactivated. Every statement that reads for
 * someone starts from it, so that no cache of identities can outlive a revocation (G5). LIMIT 1 of one row at most: so the planner finds the caller first. It has been seen to
 * do what was asked for every user, and to keep what was the caller's of that (Postgres 18).
 */
export const callerRow = (credentialId: string): SQL => sql`
  SELECT u.id, u.role FROM credentials c JOIN users u ON u.id = c.user_id
  WHERE c.id = ${credentialId} AND c.revoked_at IS NULL AND c.expires_at > now() AND u.deactivated_at IS NULL LIMIT 1`;

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

/** Whether the caller may read the conversation of a channel at this moment. */
export async function isReader(db: Queryable, credentialId: string, channelId: string): Promise<boolean> {
  const [standing] = await db.execute<Standing & { [column: string]: unknown }>(plannedOnce(sql`SELECT ${standingColumns} FROM ${standingTables(credentialId, channelId)}`));
  return refuseReader(standing) === null;
}

/** What the caller is at this moment, and what each of these channels is to them. A channel that is none is missing; null: the credential is dead. */
export async function findStandings(
  db: Queryable,
  credentialId: string,
  channelIds: readonly string[],
): Promise<{ readonly user_role: User['role']; readonly in: ReadonlyMap<string, Standing> } | null> {
  const rows = await db.execute<Standing & { channel_id: string | null; [column: string]: unknown }>(sql`
    SELECT ch.id AS channel_id, ${standingColumns} FROM (${callerRow(credentialId)}) me
    LEFT JOIN channels ch ON ch.id IN (SELECT (c.value #>> '{}')::uuid FROM jsonb_array_elements(${JSON.stringify(channelIds)}::text::jsonb) c)
    LEFT JOIN members mine ON mine.channel_id = ch.id AND mine.user_id = me.id`);
  const [first] = rows;
  if (!first) return null;
  return { user_role: first.user_role, in: new Map(rows.flatMap(({ channel_id, ...standing }): [string, Standing][] => (channel_id === null ? [] : [[channel_id, standing]]))) };
}
