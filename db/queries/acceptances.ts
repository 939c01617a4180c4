import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Acceptance } from '../../protocol/invitations.ts';
import type { Transaction } from '../client.ts';
import { callerRow } from './access.ts';
import { userColumns } from './avatar-column.ts';
import { findGeneralChannel } from './channels.ts';
import { enrol } from './members.ts';
import { writeRole } from './user-roles.ts';

export interface AcceptanceRequest {
  readonly credentialId: string;
  readonly secretHash: Uint8Array;
  readonly now: Date;
  readonly traceparent: string | null;
}

interface Found {
  readonly [column: string]: unknown;
  readonly id: string;
  readonly role: 'member' | 'guest';
  readonly created_by: string;
  readonly is_good: boolean;
}

interface Caller extends User {
  readonly [column: string]: unknown;
  readonly version: number;
  readonly is_admitted: boolean;
}

/**
 * The caller comes in by an invitation: into those of its channels that are open, and that who invites may still fill. Who had no place here gets its role; who has one
 * keeps theirs, be it less or more. A second time it does nothing: who has left since, or was removed, does not come back by it. `not_found` for an invitation that is none,
 * or is good no more.
 */
export async function acceptInvitation(tx: Transaction, request: AcceptanceRequest): Promise<Outcome<Acceptance>> {
  const found = await lockInvitation(tx, request);
  const me = await lockCaller(tx, request.credentialId);
  if (!me) return { problem: { code: 'unauthenticated' } };
  if (!found) return NONE;
  const wasUsed = await use(tx, found, me.id, request.now);
  if (!wasUsed && !found.is_good) return NONE;
  const channelIds = wasUsed ? [] : await channelsToJoin(tx, found);
  if (!wasUsed && (channelIds === null || (channelIds.length === 0 && found.role === 'guest'))) return NONE;
  const user = wasUsed || me.is_admitted ? me : await admit(tx, request, me, found);
  await joinAll(tx, request, user, [...(channelIds ?? []), ...(user.role !== me.role && user.role === 'member' ? await general(tx) : [])]);
  return { ok: { user: plain(user), channel_ids: await memberships(tx, found, me.id) } };
}

const NONE = { problem: { code: 'not_found' as const, detail: 'there is no such invitation, or it is good no more' } };
const plain = ({ id, handle, display_name, role, avatar }: User): User => ({ id, handle, display_name, role, avatar });

/** Locked: of many who come at once no more get in than it has uses. */
async function lockInvitation(tx: Transaction, { secretHash, now }: AcceptanceRequest): Promise<Found | null> {
  const [found] = await tx.execute<Found>(sql`
    SELECT i.id, i.role, i.created_by, i.revoked_at IS NULL AND i.expires_at > ${now.toISOString()}::timestamptz AND i.uses < i.max_uses AS is_good
    FROM invitations i WHERE i.secret_hash = ${secretHash} FOR UPDATE`);
  return found ?? null;
}

async function lockCaller(tx: Transaction, credentialId: string): Promise<Caller | null> {
  const [me] = await tx.execute<Caller>(sql`
    SELECT ${userColumns(sql`u`)}, u.version, u.is_admitted FROM users u
    WHERE u.id = (SELECT me.id FROM (${callerRow(credentialId)}) me) FOR NO KEY UPDATE`);
  return me ?? null;
}

/** Whether the caller has used it before; else it is, if it is good. */
async function use(tx: Transaction, { id, is_good }: Found, userId: string, now: Date): Promise<boolean> {
  const [before] = await tx.execute(sql`SELECT x.user_id FROM invitation_uses x WHERE x.invitation_id = ${id} AND x.user_id = ${userId}`);
  if (before || !is_good) return before !== undefined;
  await tx.execute(sql`INSERT INTO invitation_uses (invitation_id, user_id, used_at) VALUES (${id}, ${userId}, ${now.toISOString()}::timestamptz)`);
  await tx.execute(sql`UPDATE invitations SET uses = uses + 1 WHERE id = ${id}`);
  return false;
}

/** Those that are open, and that whoever invites manages at this moment, in one order for all. Null: they may invite nobody any more. */
async function channelsToJoin(tx: Transaction, { id, role, created_by }: Found): Promise<string[] | null> {
  const [host] = await tx.execute<{ role: User['role'] }>(sql`SELECT u.role FROM users u WHERE u.id = ${created_by} AND u.deactivated_at IS NULL`);
  if (!host || host.role === 'guest' || (role === 'member' && host.role !== 'admin')) return null;
  const rows = await tx.execute<{ id: string }>(sql`
    SELECT ch.id FROM invitation_channels c JOIN channels ch ON ch.id = c.channel_id AND ch.archived_at IS NULL AND ch.kind <> 'direct'
    LEFT JOIN members h ON h.channel_id = ch.id AND h.user_id = ${created_by}
    WHERE c.invitation_id = ${id} AND (h.role IN ('owner', 'admin') OR (${host.role}::text = 'admin' AND ch.kind = 'public')) ORDER BY ch.id`);
  return rows.map(({ id: channelId }) => channelId);
}

async function admit(tx: Transaction, { now, traceparent }: AcceptanceRequest, me: Caller, { role, created_by }: Found): Promise<User> {
  return writeRole(tx, { eventId: uuidv7(), actorId: created_by, now, traceparent, version: me.version }, { ...plain(me), role });
}

const general = async (tx: Transaction): Promise<string[]> => {
  const id = await findGeneralChannel(tx);
  return id === null ? [] : [id];
};

async function joinAll(tx: Transaction, { now, traceparent }: AcceptanceRequest, { id: userId }: User, channelIds: readonly string[]): Promise<void> {
  for (const channelId of [...new Set(channelIds)].toSorted()) await enrol(tx, { channelId, userId, actorId: userId, eventId: uuidv7(), now, traceparent });
}

async function memberships(tx: Transaction, { id }: Found, userId: string): Promise<string[]> {
  const rows = await tx.execute<{ channel_id: string }>(sql`
    SELECT m.channel_id FROM invitation_channels c JOIN members m ON m.channel_id = c.channel_id AND m.user_id = ${userId} WHERE c.invitation_id = ${id} ORDER BY m.channel_id`);
  return rows.map(({ channel_id }) => channel_id);
}
