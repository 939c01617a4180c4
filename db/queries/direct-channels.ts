import { and, eq, isNotNull, ne, type SQL, sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { DirectChannel, MyDirectChannel, User } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import { MAX_DIRECT_USERS } from '../../protocol/limits.ts';
import type { Queryable, Transaction } from '../client.ts';
import type { Asking } from '../in-one-statement.ts';
import { conversationLogs, members } from '../schema/tables.ts';
import { callerRow } from './access.ts';
import { userColumns } from './avatar-column.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { insertMember } from './members.ts';
import { wireTime } from './time.ts';
import { type ReadingRow, readingColumns, toReading } from './reading.ts';

export interface DirectChannelRequest {
  readonly credentialId: string;
  /** With whom; the caller is one of them in any case. */
  readonly userIds: readonly string[];
  readonly now: Date;
  readonly traceparent: string | null;
}

/** A member that a new direct channel has: `eventId` and `version` are of the event that tells of it. */
export interface DirectMember {
  readonly userId: string;
  readonly eventId: string;
  readonly version: number;
}

/** `was_open`: it was there, and in the caller's list. `members`: of a new one, else none. */
export interface OpenedChannel {
  readonly channel: DirectChannel;
  readonly was_open: boolean;
  readonly members: readonly DirectMember[];
}

/**
 * The direct channel of these users: found, and open again for the caller, or made, and then the others have it in their lists once there is a message.
 * `invalid` for too many, and for whom the caller cannot begin to talk to: unknown, deactivated, or, for a guest, out of sight.
 */
export async function openDirectChannel(tx: Transaction, request: DirectChannelRequest): Promise<Outcome<OpenedChannel>> {
  const [me] = await tx.execute<{ id: string; role: User['role'] }>(callerRow(request.credentialId));
  if (!me) return { problem: { code: 'unauthenticated' } };
  const userIds = [...new Set([me.id, ...request.userIds])].toSorted();
  if (userIds.length > MAX_DIRECT_USERS) return { problem: { code: 'invalid', errors: [{ pointer: '/user_ids', detail: `must be at most ${MAX_DIRECT_USERS - 1} besides the caller` }] } };
  const found = await reopen(tx, me.id, userIds);
  if (found) return { ok: found };
  const problem = (await refuseUsers(tx, request.userIds, userIds)) ?? (await refuseGuests(tx, request.userIds, me, userIds));
  if (problem) return { problem };
  const made = await makeDirectChannel(tx, request, me.id, userIds) ?? (await reopen(tx, me.id, userIds));
  if (!made) throw new Error('a direct channel was in the way, and is not there');
  return { ok: made };
}

/** Whether a direct channel of the log `l` is in the list of this member. */
const isOpen = (member: SQL) => sql`(${member}.closed_pos IS NULL OR l.drained_pos > ${member}.closed_pos)`;

/** An array as Postgres writes it; of ids, which need no quotes. */
const arrayOf = (ids: readonly string[]) => sql`${`{${ids.join(',')}}`}::text::uuid[]`;

async function reopen(tx: Transaction, me: string, userIds: readonly string[]): Promise<OpenedChannel | null> {
  // Of two who find it closed at once, the second waits for the first, and finds it open.
  const [row] = await tx.execute<{ id: string; created_at: string; is_open: boolean }>(sql`
    SELECT c.id, ${wireTime(sql`c.created_at`)} AS created_at, ${isOpen(sql`m`)} AS is_open
    FROM channels c JOIN members m ON m.channel_id = c.id AND m.user_id = ${me} JOIN conversation_logs l ON l.channel_id = c.id
    WHERE c.direct_user_ids = ${arrayOf(userIds)} FOR UPDATE OF m`);
  if (!row) return null;
  await tx.update(members).set({ closed_pos: null }).where(and(eq(members.channel_id, row.id), eq(members.user_id, me), isNotNull(members.closed_pos)));
  return { channel: { id: row.id, kind: 'direct', user_ids: [...userIds], created_at: row.created_at }, was_open: row.is_open, members: [] };
}

const refusal = (named: readonly string[], isRefused: (id: string) => boolean, detail: string): Problem | null => {
  const errors = named.flatMap((id, n) => (isRefused(id) ? [{ pointer: `/user_ids/${n}`, detail }] : []));
  return errors.length === 0 ? null : { code: 'invalid', errors };
};

const NOBODY = 'there is no such user, or they are deactivated';

async function refuseUsers(tx: Transaction, named: readonly string[], userIds: readonly string[]): Promise<Problem | null> {
  const rows = await tx.execute<{ id: string }>(sql`SELECT u.id FROM users u WHERE u.id = ANY (${arrayOf(userIds)}) AND u.deactivated_at IS NULL`);
  const active = new Set(rows.map(({ id }) => id));
  return refusal(named, (id) => !active.has(id), NOBODY);
}

/** A guest talks to those alone with whom they share a channel, whoever begins it: of every pair with a guest in it. Other direct channels do not count. */
async function refuseGuests(tx: Transaction, named: readonly string[], me: { id: string; role: User['role'] }, userIds: readonly string[]): Promise<Problem | null> {
  const pairs = await tx.execute<{ guest: string; other: string }>(sql`
    SELECT g.id AS guest, o.id AS other FROM users g JOIN users o ON o.id <> g.id AND o.id = ANY (${arrayOf(userIds)})
    WHERE g.id = ANY (${arrayOf(userIds)}) AND g.role = 'guest' AND NOT EXISTS (
      SELECT FROM members a JOIN members b ON b.channel_id = a.channel_id AND b.user_id = o.id JOIN channels c ON c.id = a.channel_id AND c.kind <> 'direct'
      WHERE a.user_id = g.id)`);
  // To a guest, who is out of sight is nobody.
  if (me.role === 'guest') return refusal(named, (id) => pairs.some(({ guest, other }) => guest === me.id && other === id), NOBODY) ?? apart(named, pairs);
  return apart(named, pairs);
}

const apart = (named: readonly string[], pairs: readonly { guest: string; other: string }[]): Problem | null =>
  refusal(named, (id) => pairs.some(({ guest, other }) => guest === id || other === id), 'is a guest, or with one, and they share no channel');

/** Null: somebody else was faster, and has committed. */
async function makeDirectChannel(tx: Transaction, { now, traceparent }: DirectChannelRequest, me: string, userIds: readonly string[]): Promise<OpenedChannel | null> {
  const id = uuidv7();
  const made = await tx.execute(sql`
    INSERT INTO channels (id, kind, direct_user_ids, created_by, created_at)
    VALUES (${id}, 'direct', ${arrayOf(userIds)}, ${me}, ${now.toISOString()}::timestamptz) ON CONFLICT DO NOTHING RETURNING id`);
  if (made.length === 0) return null;
  await tx.insert(conversationLogs).values({ channel_id: id });
  const [at, channel] = [now.toISOString(), { id, kind: 'direct' as const, user_ids: [...userIds] }];
  await appendDirectoryEvent(tx, { type: 'channel.created', id: uuidv7(), at, actor_id: me, channel, version: 1 }, traceparent);
  const joined = userIds.map((userId, n): DirectMember => ({ userId, eventId: uuidv7(), version: n + 1 }));
  for (const { userId, eventId } of joined) await insertMember(tx, { channelId: id, userId, role: 'member', actorId: me, eventId, now, traceparent });
  await tx.update(members).set({ closed_pos: 0 }).where(and(eq(members.channel_id, id), ne(members.user_id, me)));
  return { channel: { ...channel, created_at: at }, was_open: false, members: joined };
}

/** Takes a direct channel from the caller's list until there is a message after those that are stored now. Repeating it closes it again. */
export async function closeDirectChannel(tx: Transaction, credentialId: string, channelId: string): Promise<Outcome<true>> {
  const rows = await tx.execute(sql`
    UPDATE members m SET closed_pos = l.drained_pos
    FROM (${callerRow(credentialId)}) me, channels c, conversation_logs l
    WHERE m.user_id = me.id AND m.channel_id = ${channelId} AND c.id = m.channel_id AND c.kind = 'direct' AND l.channel_id = m.channel_id RETURNING m.user_id`);
  if (rows.length > 0) return { ok: true };
  const [me] = await tx.execute(callerRow(credentialId));
  return { problem: { code: me ? 'not_found' : 'unauthenticated' } };
}

const columns = sql`ch.id, to_json(ch.direct_user_ids) AS user_ids, ${wireTime(sql`ch.created_at`)} AS created_at`;
const openOnes = (credentialId: string) => sql`(${callerRow(credentialId)}) me
    JOIN members mine ON mine.user_id = me.id
    JOIN channels ch ON ch.id = mine.channel_id AND ch.kind = 'direct'
    JOIN conversation_logs l ON l.channel_id = ch.id AND ${isOpen(sql`mine`)}`;

type Row = { [column: string]: unknown } & Pick<DirectChannel, 'id' | 'user_ids' | 'created_at'>;
const toDirectChannel = ({ id, user_ids, created_at }: Row): DirectChannel => ({ id, kind: 'direct', user_ids, created_at });

/** The caller's open ones, the newest first, from below the channel `before`. */
export async function listDirectChannels(db: Queryable, credentialId: string, page: { before: string | null; limit: number }): Promise<Outcome<DirectChannel[]>> {
  const rows = await db.execute<Row & { is_channel: boolean }>(sql`
    SELECT found.id IS NOT NULL AS is_channel, found.* FROM (${callerRow(credentialId)}) caller LEFT JOIN (
      SELECT ${columns} FROM ${openOnes(credentialId)} WHERE ${page.before}::uuid IS NULL OR ch.id < ${page.before}::uuid ORDER BY ch.id DESC LIMIT ${page.limit}
    ) found ON true ORDER BY found.id DESC`);
  return rows.length === 0 ? { problem: { code: 'unauthenticated' } } : { ok: rows.filter(({ is_channel }) => is_channel).map(toDirectChannel) };
}

/** Those who are in these, for whoever may see them. */
export async function listDirectUsers(db: Queryable, direct: readonly DirectChannel[]): Promise<User[]> {
  const ids = [...new Set(direct.flatMap(({ user_ids }) => user_ids))];
  const rows = await db.execute<{ [K in keyof User]: User[K] }>(sql`
    SELECT ${userColumns(sql`u`)} FROM users u WHERE u.id = ANY (${arrayOf(ids)}) ORDER BY u.handle`);
  return rows.map((row) => ({ ...row }));
}

/** The caller's open ones with what a first paint needs, of one snapshot; at most `limit`, those with the latest events. */
export async function listMyDirectChannels(db: Asking, credentialId: string, limit: number): Promise<MyDirectChannel[]> {
  const rows = await db.execute<Row & ReadingRow>(sql`
    SELECT ${columns}, ${readingColumns}
    FROM ${openOnes(credentialId)} LEFT JOIN read_states r ON r.channel_id = ch.id AND r.user_id = me.id
    ORDER BY l.drained_at DESC NULLS LAST, ch.id DESC LIMIT ${limit}`);
  return rows.map((row) => ({ ...toDirectChannel(row), ...toReading(row) }));
}
