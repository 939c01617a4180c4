import { sql } from 'drizzle-orm';
import type { User } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Invitation, InvitationBody } from '../../protocol/invitations.ts';
import { MAX_INVITATIONS } from '../../protocol/limits.ts';
import type { Queryable, Transaction } from '../client.ts';
import { peopleTables } from '../schema/people-tables.ts';
import { callerRow, standingColumns, standingTables, type Standing } from './access.ts';
import { recordAct } from './audit.ts';
import { refuseManager } from './members.ts';
import { wireTime } from './time.ts';

const { invitations, invitationChannels } = peopleTables;

export interface NewInvitation extends Omit<InvitationBody, 'expires_in'> {
  readonly id: string;
  readonly secretHash: Uint8Array;
  readonly expiresAt: Date;
}

interface InvitationRequest {
  readonly credentialId: string;
  readonly now: Date;
}

/**
 * A link for people to come in by: for administrators, who may make members, too; and for owners and admins of channels, to those, for guests. `invalid` for channels
 * that take nobody, or that the caller may not know of; `conflict`: they have as many open as one may.
 */
export async function createInvitation(tx: Transaction, { credentialId, now }: InvitationRequest, wish: NewInvitation): Promise<Outcome<Invitation>> {
  const [me] = await tx.execute<{ id: string; role: User['role'] }>(sql`SELECT u.id, u.role FROM users u WHERE u.id = (SELECT me.id FROM (${callerRow(credentialId)}) me) FOR NO KEY UPDATE`);
  if (!me) return { problem: { code: 'unauthenticated' } };
  if (wish.role === 'member' && me.role !== 'admin') return { problem: { code: 'forbidden', detail: 'only administrators invite members' } };
  const problem = (await refuseChannels(tx, credentialId, wish.channel_ids)) ?? (await refuseMore(tx, me.id, now));
  if (problem) return { problem };
  const { id, secretHash, role, channel_ids, max_uses, expiresAt } = wish;
  await tx.insert(invitations).values({ id, secret_hash: secretHash, created_by: me.id, role, max_uses, created_at: now, expires_at: expiresAt });
  if (channel_ids.length > 0) await tx.insert(invitationChannels).values(channel_ids.map((channel_id) => ({ invitation_id: id, channel_id })));
  const details = { role, channel_ids, max_uses, expires_at: expiresAt.toISOString() };
  await recordAct(tx, { act: 'invitation.created', target: ['invitation', id], details }, { actorId: me.id, credentialId });
  return { ok: { id, role, channel_ids: channel_ids.toSorted(), created_by: me.id, max_uses, uses: 0, created_at: now.toISOString(), expires_at: expiresAt.toISOString(), revoked_at: null } };
}

/** Each has to be managed by the caller, and open. One they may not know of is as one that is not there. */
async function refuseChannels(tx: Transaction, credentialId: string, channelIds: readonly string[]): Promise<Problem | null> {
  for (const [n, channelId] of channelIds.entries()) {
    const [standing] = await tx.execute<Standing & { archived: boolean; [column: string]: unknown }>(sql`
      SELECT ${standingColumns}, ch.archived_at IS NOT NULL AS archived FROM ${standingTables(credentialId, channelId)}`);
    const problem = refuseManager(standing);
    if (problem?.code === 'forbidden' || problem?.code === 'unauthenticated') return problem;
    if (problem || standing?.archived) return { code: 'invalid', errors: [{ pointer: `/channel_ids/${n}`, detail: 'there is no such channel, or it takes no new members' }] };
  }
  return null;
}

/** The caller's row is locked: of two at once the second counts the first. */
async function refuseMore(tx: Transaction, userId: string, now: Date): Promise<Problem | null> {
  const [row] = await tx.execute<{ open: number }>(sql`
    SELECT count(*)::integer AS open FROM invitations i
    WHERE i.created_by = ${userId} AND i.revoked_at IS NULL AND i.expires_at > ${now.toISOString()}::timestamptz AND i.uses < i.max_uses`);
  return (row?.open ?? 0) < MAX_INVITATIONS ? null : { code: 'conflict', detail: `a user has at most ${MAX_INVITATIONS} invitations open: revoke one first` };
}

const columns = sql`i.id, i.role, coalesce((SELECT json_agg(c.channel_id ORDER BY c.channel_id) FROM invitation_channels c WHERE c.invitation_id = i.id), '[]') AS channel_ids,
  i.created_by, i.max_uses, i.uses, ${wireTime(sql`i.created_at`)} AS created_at, ${wireTime(sql`i.expires_at`)} AS expires_at, ${wireTime(sql`i.revoked_at`)} AS revoked_at`;
type Row = { [K in keyof Invitation]: Invitation[K] };

function toInvitation({ id, role, channel_ids, created_by, max_uses, uses, created_at, expires_at, revoked_at }: Row): Invitation {
  return { id, role, channel_ids, created_by, max_uses, uses, created_at, expires_at, revoked_at };
}

/** Invitations of the caller, or to an administrator of everybody, the newest first, from below `before`; those that are good no more as well. */
export async function listInvitations(db: Queryable, credentialId: string, page: { before: string | null; limit: number }): Promise<Outcome<Invitation[]>> {
  const rows = await db.execute<Row & { is_invitation: boolean }>(sql`
    SELECT found.id IS NOT NULL AS is_invitation, found.* FROM (${callerRow(credentialId)}) me LEFT JOIN LATERAL (
      SELECT ${columns} FROM invitations i
      WHERE (me.role = 'admin' OR i.created_by = me.id) AND (${page.before}::uuid IS NULL OR i.id < ${page.before}::uuid) ORDER BY i.id DESC LIMIT ${page.limit}
    ) found ON true ORDER BY found.id DESC`);
  if (rows.length === 0) return { problem: { code: 'unauthenticated' } };
  return { ok: rows.filter(({ is_invitation }) => is_invitation).map(toInvitation) };
}

/** Nobody comes in by it from then on; who has, stays. For whoever made it, and administrators. Repeating it changes nothing. */
export async function revokeInvitation(tx: Transaction, { credentialId, now }: InvitationRequest, id: string): Promise<Outcome<true>> {
  const [me] = await tx.execute<{ id: string; role: User['role'] }>(callerRow(credentialId));
  if (!me) return { problem: { code: 'unauthenticated' } };
  const [found] = await tx.execute<{ created_by: string; revoked: boolean }>(sql`
    SELECT i.created_by, i.revoked_at IS NOT NULL AS revoked FROM invitations i WHERE i.id = ${id} FOR UPDATE`);
  if (!found || (found.created_by !== me.id && me.role !== 'admin')) return { problem: { code: 'not_found' } };
  if (found.revoked) return { ok: true };
  await tx.execute(sql`UPDATE invitations SET revoked_at = ${now.toISOString()}::timestamptz WHERE id = ${id}`);
  await recordAct(tx, { act: 'invitation.revoked', target: ['invitation', id] }, { actorId: me.id, credentialId });
  return { ok: true };
}
