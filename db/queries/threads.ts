import { sql, type SQL } from 'drizzle-orm';
import type { User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { MAX_UNREAD } from '../../protocol/limits.ts';
import { type FollowedThread, type FollowedThreadPage, MAX_CHOSEN_THREADS, type ThreadState } from '../../protocol/threads.ts';
import type { Queryable, Transaction } from '../client.ts';
import { callerRow, refuseReader, type Standing, standingColumns, standingTables } from './access.ts';
import { avatarOf } from './avatar-column.ts';
import { wireTime } from './time.ts';

/** A thread of a channel, for one caller. */
export interface ThreadRequest {
  readonly credentialId: string;
  readonly userId: string;
  readonly channelId: string;
  readonly rootId: string;
}

interface StateRow extends Standing {
  readonly root_id: string | null;
  readonly is_reply: boolean;
  readonly choice: 'followed' | 'unfollowed' | null;
  readonly choice_version: number;
  readonly following: boolean;
  readonly followers: number;
  readonly reply_count: number;
  readonly last_tpos: string;
  readonly read_tpos: string;
  readonly unread_replies: number;
  readonly [column: string]: unknown;
}

/** Live replies of others in a thread after a place, among the newest `MAX_UNREAD`. */
const countUnread = (root: SQL, after: SQL, last: SQL, user: SQL): SQL => sql`
  (SELECT count(*)::integer FROM messages x
   WHERE x.thread_id = ${root} AND x.tpos > greatest(${after}, ${last} - ${MAX_UNREAD}::bigint) AND x.deleted_at IS NULL AND x.author_id <> ${user})`;

async function findState(db: Queryable, { credentialId, channelId, rootId }: ThreadRequest): Promise<Outcome<StateRow>> {
  const [row] = await db.execute<StateRow>(sql`
    WITH s AS (SELECT me.id AS me, ${standingColumns} FROM ${standingTables(credentialId, channelId)}),
    at AS (
      SELECT s.*, m.id AS root_id, m.thread_id IS NOT NULL AS is_reply, f.choice, coalesce(f.choice_version, 0) AS choice_version, f.since_tpos IS NOT NULL AS following,
        coalesce(t.reply_count, 0) AS reply_count, coalesce(t.last_tpos, 0) AS last_tpos, greatest(f.since_tpos, r.read_tpos, 0) AS read_tpos
      FROM s
      LEFT JOIN messages m ON m.id = ${rootId} AND m.channel_id = ${channelId} AND s.my_role IS NOT NULL
      LEFT JOIN threads t ON t.root_id = m.id
      LEFT JOIN thread_followers f ON f.root_id = m.id AND f.user_id = s.me
      LEFT JOIN thread_read_states r ON r.user_id = s.me AND r.root_id = m.id
    )
    SELECT at.*, ${countUnread(sql`at.root_id`, sql`at.read_tpos`, sql`at.last_tpos`, sql`at.me`)} AS unread_replies,
      (SELECT count(*)::integer FROM thread_followers f JOIN members k ON k.channel_id = ${channelId} AND k.user_id = f.user_id
       WHERE f.root_id = at.root_id AND f.since_tpos IS NOT NULL) AS followers
    FROM at`);
  const problem = refuseReader(row);
  if (problem || !row) return { problem: problem ?? { code: 'not_found' } };
  if (row.root_id === null) return { problem: { code: 'not_found', detail: 'the channel has no such message' } };
  return row.is_reply ? { problem: { code: 'not_found', detail: 'a reply has no thread of its own' } } : { ok: row };
}

function toState({ channelId, rootId }: ThreadRequest, row: StateRow): ThreadState {
  const { following, followers, reply_count, last_tpos, read_tpos, unread_replies } = row;
  return { channel_id: channelId, thread_id: rootId, following, followers, reply_count, last_tpos: Number(last_tpos), read_tpos: Number(read_tpos), unread_replies };
}

/** For members of the channel. */
export async function findThreadState(db: Queryable, request: ThreadRequest): Promise<Outcome<ThreadState>> {
  const found = await findState(db, request);
  return 'problem' in found ? found : { ok: toState(request, found.ok) };
}

/** The state after it; and the version of the choice, null where nothing was changed. */
export interface Chosen {
  readonly state: ThreadState;
  readonly version: number | null;
}

/**
 * The caller follows a thread, or does not: what they say holds, whatever replies would make of it, until they say otherwise, or a later reply names them. From the reply on that the thread has come to.
 * `conflict` for more threads than one may say that of.
 */
export async function chooseFollowing(tx: Transaction, request: ThreadRequest, follows: boolean): Promise<Outcome<Chosen>> {
  const { userId, channelId, rootId } = request;
  // No reply is drained meanwhile: each is before the choice, or after it. And whoever is removed takes this along, for their removal waits.
  await tx.execute(sql`SELECT FROM conversation_logs l WHERE l.channel_id = ${channelId} FOR SHARE`);
  await tx.execute(sql`SELECT FROM members m WHERE m.channel_id = ${channelId} AND m.user_id = ${userId} FOR KEY SHARE`);
  const found = await findState(tx, request);
  if ('problem' in found) return found;
  const { following, choice, last_tpos, choice_version } = found.ok;
  if (following === follows && (follows || choice === 'unfollowed')) return { ok: { state: toState(request, found.ok), version: null } };
  if (choice === null && (await hasChosenMany(tx, userId))) return { problem: { code: 'conflict', detail: `${MAX_CHOSEN_THREADS} threads at most` } };
  await tx.execute(sql`
    INSERT INTO thread_followers AS t (root_id, user_id, channel_id, choice, choice_tpos, choice_version)
    VALUES (${rootId}, ${userId}, ${channelId}, ${follows ? 'followed' : 'unfollowed'}, ${last_tpos}, 1)
    ON CONFLICT (root_id, user_id) DO UPDATE SET choice = excluded.choice, choice_tpos = excluded.choice_tpos, choice_version = t.choice_version + 1, renamed_tpos = NULL`);
  const changed = await findState(tx, request);
  return 'problem' in changed ? changed : { ok: { state: toState(request, changed.ok), version: choice_version + 1 } };
}

async function hasChosenMany(tx: Transaction, userId: string): Promise<boolean> {
  const [count] = await tx.execute<{ n: number }>(sql`SELECT count(*)::integer AS n FROM thread_followers f WHERE f.user_id = ${userId} AND f.choice IS NOT NULL`);
  return (count?.n ?? 0) >= MAX_CHOSEN_THREADS;
}

/** Whoever leaves a channel follows none of its threads any more. */
export async function endFollowing(tx: Transaction, channelId: string, userId: string): Promise<void> {
  await tx.execute(sql`DELETE FROM thread_followers f WHERE f.user_id = ${userId} AND f.channel_id = ${channelId}`);
}

/** Where the marker stands now, and whether it was moved. `isCut`: as far as the last reply that Postgres has, which is not as far as was asked. */
export interface ThreadMark {
  readonly tpos: number;
  readonly isMoved: boolean;
  readonly isCut: boolean;
}

/** Marks a thread as read up to `tpos`, and no further than its last reply: what comes after that was read by nobody. The marker never goes down. */
export async function markThreadRead(tx: Transaction, request: ThreadRequest, wanted: number, now: Date): Promise<Outcome<ThreadMark>> {
  const found = await findState(tx, request);
  if ('problem' in found) return found;
  const tpos = Math.min(wanted, Number(found.ok.last_tpos));
  const isCut = tpos < wanted;
  const { userId, channelId, rootId } = request;
  const moved = await tx.execute(sql`
    INSERT INTO thread_read_states AS r (user_id, root_id, channel_id, read_tpos, updated_at) VALUES (${userId}, ${rootId}, ${channelId}, ${tpos}, ${now.toISOString()}::timestamptz)
    ON CONFLICT (user_id, root_id) DO UPDATE SET read_tpos = excluded.read_tpos, updated_at = excluded.updated_at WHERE r.read_tpos < excluded.read_tpos
    RETURNING 1 AS one`);
  if (moved.length > 0) return { ok: { tpos, isMoved: true, isCut } };
  const [row] = await tx.execute<{ read_tpos: string }>(sql`SELECT r.read_tpos FROM thread_read_states r WHERE r.user_id = ${userId} AND r.root_id = ${rootId}`);
  return { ok: { tpos: Number(row?.read_tpos ?? tpos), isMoved: false, isCut } };
}

export interface ThreadsPage {
  readonly unread: boolean;
  /** Only those behind this one; null: from the newest. */
  readonly before: { readonly at: string; readonly id: string } | null;
  readonly limit: number;
}

interface ListRow extends Omit<FollowedThread, 'root' | 'last_tpos' | 'read_tpos'> {
  readonly last_tpos: string;
  readonly read_tpos: string;
  readonly author_id: string;
  readonly text: string;
  readonly created_at: string;
  readonly deleted_at: string | null;
  readonly handle: string;
  readonly display_name: string;
  readonly author_role: User['role'];
  readonly avatar: User['avatar'];
  readonly [column: string]: unknown;
}

/** The threads that the caller follows, the newest reply first, of channels of which they are a member at this moment (G5). Reads a row of each thread they follow; replies of those of the page alone. */
export async function listThreads(db: Queryable, credentialId: string, { unread, before, limit }: ThreadsPage): Promise<Outcome<Omit<FollowedThreadPage, 'next_cursor'>>> {
  const rows = await db.execute<ListRow>(sql`
    SELECT p.thread_id, p.channel_id, p.reply_count, p.last_tpos, ${wireTime(sql`p.last_reply_at`)} AS last_reply_at, p.read_tpos, p.unread_replies,
      m.author_id, m.text, ${wireTime(sql`m.created_at`)} AS created_at, ${wireTime(sql`m.deleted_at`)} AS deleted_at, a.handle, a.display_name, a.role AS author_role, ${avatarOf(sql`a`)} AS avatar
    FROM (${callerRow(credentialId)}) me
    LEFT JOIN LATERAL (
      SELECT o.*, n.unread_replies FROM (
        SELECT t.root_id AS thread_id, t.channel_id, t.reply_count, t.last_tpos, t.last_reply_at, greatest(f.since_tpos, r.read_tpos) AS read_tpos
        FROM thread_followers f
        JOIN members k ON k.channel_id = f.channel_id AND k.user_id = me.id
        JOIN threads t ON t.root_id = f.root_id AND t.reply_count > 0
        LEFT JOIN thread_read_states r ON r.user_id = me.id AND r.root_id = f.root_id
        WHERE f.user_id = me.id AND f.since_tpos IS NOT NULL AND NOT (${unread} AND t.last_tpos <= greatest(f.since_tpos, r.read_tpos))
          ${before === null ? sql`` : sql`AND (t.last_reply_at, t.root_id) < (${before.at}::timestamptz, ${before.id}::uuid)`}
        ORDER BY t.last_reply_at DESC, t.root_id DESC OFFSET 0
      ) o
      CROSS JOIN LATERAL (SELECT ${countUnread(sql`o.thread_id`, sql`o.read_tpos`, sql`o.last_tpos`, sql`me.id`)} AS unread_replies) n
      WHERE NOT ${unread} OR n.unread_replies > 0
      ORDER BY o.last_reply_at DESC, o.thread_id DESC LIMIT ${limit}
    ) p ON true
    LEFT JOIN messages m ON m.id = p.thread_id
    LEFT JOIN users a ON a.id = m.author_id
    ORDER BY p.last_reply_at DESC, p.thread_id DESC`);
  if (rows.length === 0) return { problem: { code: 'unauthenticated' } };
  const found = rows.filter(({ thread_id }) => thread_id !== null);
  return { ok: { data: found.map(toFollowed), users: authorsOf(found) } };
}

function toFollowed({ channel_id, thread_id, author_id, text, created_at, deleted_at, reply_count, last_reply_at, last_tpos, read_tpos, unread_replies }: ListRow): FollowedThread {
  const root = { author_id, text, created_at, deleted_at };
  return { channel_id, thread_id, root, reply_count, last_reply_at, last_tpos: Number(last_tpos), read_tpos: Number(read_tpos), unread_replies };
}

const authorsOf = (rows: readonly ListRow[]): User[] => [
  ...new Map(rows.map(({ author_id: id, handle, display_name, author_role: role, avatar }) => [id, { id, handle, display_name, role, avatar }])).values(),
];
