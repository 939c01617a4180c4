import { sql, type SQL } from 'drizzle-orm';
import type { Message, User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { FileState } from '../../protocol/files.ts';
import type { LinkPreview } from '../../protocol/previews.ts';
import type { Queryable } from '../client.ts';
import { plannedOnce } from '../planned-once.ts';
import { refuseReader, standingColumns, standingTables, type Standing } from './access.ts';
import { avatarOf } from './avatar-column.ts';
import { fileJson } from './file-rows.ts';
import { wireTime } from './time.ts';

/** The messages of a channel in the order of `pos`, or of one thread in the order of `tpos`. */
export interface Listing {
  readonly channelId: string;
  readonly threadId: string | null;
}

/** `older` messages below the counter `below`, null: the newest, and `newer` ones from the counter `from` on. */
export interface Span {
  readonly below: number | null;
  readonly older: number;
  readonly from: number;
  readonly newer: number;
}

/** A page, where the log stood, and the counter of the newest message of the listing, all of one snapshot. */
export interface MessageSpan {
  readonly messages: Message[];
  readonly users: User[];
  readonly epoch: number;
  readonly as_of_seq: number;
  readonly last: number;
}

interface LogColumns {
  readonly epoch: number;
  readonly drained_seq: string;
  readonly last: string | null;
}
interface MessageColumns extends Omit<Message, 'seq' | 'pos' | 'tpos' | 'reactions' | 'file_ids' | 'files' | 'pinned' | 'previews' | 'removed_by_moderator'> {
  readonly is_removed: boolean;
  readonly seq: string;
  readonly pos: string | null;
  readonly tpos: string | null;
  readonly reactions: Message['reactions'] | null;
  readonly file_ids: string[] | null;
  readonly files: FileState[] | null;
  readonly pinned_at: string | null;
  readonly pinned_by: string | null;
  readonly previews: LinkPreview[] | null;
}
interface AuthorColumns {
  readonly handle: string;
  readonly display_name: string;
  readonly author_role: User['role'];
  readonly avatar: User['avatar'];
}
export type MessageRow = MessageColumns & AuthorColumns;
type Row = Standing & LogColumns & MessageRow & { [column: string]: unknown };

/** A message as the API shows it, of the rows `p` and what `messageTables` joins to them. */
export const messageColumns: SQL = sql`p.id, p.channel_id, p.seq, p.pos, p.thread_id, p.tpos, p.author_id, p.client_msg_id, p.text, p.origin, p.revision,
  ${wireTime(sql`p.created_at`)} AS created_at, ${wireTime(sql`p.edited_at`)} AS edited_at, ${wireTime(sql`p.deleted_at`)} AS deleted_at,
  p.deleted_at IS NOT NULL AND EXISTS (SELECT FROM message_removals mr WHERE mr.message_id = p.id) AS is_removed,
  coalesce(t.reply_count, 0) AS reply_count, r.reactions, ${wireTime(sql`pn.pinned_at`)} AS pinned_at, pn.pinned_by, pv.previews, mf.file_ids, mf.files, a.handle, a.display_name, a.role AS author_role, ${avatarOf(sql`a`)} AS avatar`;

/** The stored columns that `messageColumns` is made of. */
export const storedColumns: SQL = sql`m.id, m.channel_id, m.seq, m.pos, m.thread_id, m.tpos, m.author_id, m.client_msg_id, m.text, m.origin, m.revision,
  m.created_at, m.edited_at, m.deleted_at`;

/** What surrounds the message rows `p`: their threads, authors, files, and reactions, in the order in which each emoji first came. */
export const messageTables: SQL = sql`
  LEFT JOIN threads t ON t.root_id = p.id
  LEFT JOIN pins pn ON pn.message_id = p.id
  LEFT JOIN message_previews pv ON pv.message_id = p.id AND pv.removed_seq IS NULL
  LEFT JOIN users a ON a.id = p.author_id
  LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('emoji', e.emoji, 'user_ids', e.user_ids) ORDER BY e.first_seq) AS reactions
    FROM (
      SELECT emoji, jsonb_agg(user_id ORDER BY seq) AS user_ids, min(seq) AS first_seq FROM reactions WHERE message_id = p.id GROUP BY emoji
    ) e
  ) r ON true
  LEFT JOIN LATERAL (
    SELECT jsonb_agg(l.file_id ORDER BY l.place) AS file_ids, jsonb_agg(${fileJson} ORDER BY l.place) FILTER (WHERE f.deleted_at IS NULL) AS files
    FROM message_files l JOIN files f ON f.id = l.file_id WHERE l.message_id = p.id AND p.deleted_at IS NULL
  ) mf ON true`;

const standingOf = (credentialId: string, channelId: string): SQL => sql`
  SELECT ${standingColumns}, l.epoch, l.drained_seq, l.drained_pos FROM ${standingTables(credentialId, channelId)}
  LEFT JOIN conversation_logs l ON l.channel_id = ch.id`;

/** The counter that orders a listing, which rows belong to it, and where its newest stands. */
function shapeOf({ channelId, threadId }: Listing): { counter: SQL; rows: SQL; last: SQL } {
  if (threadId === null) return { counter: sql`m.pos`, rows: sql`m.channel_id = ${channelId} AND m.thread_id IS NULL`, last: sql`s.drained_pos` };
  return {
    counter: sql`m.tpos`,
    rows: sql`m.thread_id = ${threadId} AND m.channel_id = ${channelId}`,
    last: sql`(SELECT th.last_tpos FROM threads th WHERE th.root_id = ${threadId} AND th.channel_id = ${channelId})`,
  };
}

/** A number as it stands: of a LIMIT that is a parameter Postgres takes a tenth of all rows for the general plan, which it then never keeps. */
function literal(count: number): SQL {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`no count: ${count}`);
  return sql.raw(String(count));
}

/** A span of a listing in rising order, for members. Everything comes from one statement, thus one snapshot. */
export async function readSpan(db: Queryable, credentialId: string, listing: Listing, span: Span): Promise<Outcome<MessageSpan>> {
  const { counter, rows, last } = shapeOf(listing);
  const stored = sql`SELECT ${storedColumns} FROM messages m WHERE ${rows} AND (SELECT s.my_role IS NOT NULL FROM s)`;
  const below = span.below === null ? sql`` : sql`AND ${counter} < ${span.below}`;
  // Postgres plans the partitions of each part, also of one that is for nothing.
  const parts = [
    ...(span.older > 0 ? [sql`(${stored} ${below} ORDER BY ${counter} DESC LIMIT ${literal(span.older)})`] : []),
    ...(span.newer > 0 ? [sql`(${stored} AND ${counter} >= ${span.from} ORDER BY ${counter} LIMIT ${literal(span.newer)})`] : []),
  ];
  const result = await db.execute<Row>(plannedOnce(sql`
    WITH s AS (${standingOf(credentialId, listing.channelId)}), p AS (${sql.join(parts, sql` UNION ALL `)})
    SELECT s.user_role, s.kind, s.my_role, s.epoch, s.drained_seq, ${last} AS last, ${messageColumns}
    FROM s LEFT JOIN p ON true ${messageTables}
    ORDER BY coalesce(p.tpos, p.pos)`));
  const [first] = result;
  const problem = refuseReader(first);
  if (problem || !first) return { problem: problem ?? { code: 'not_found' } };
  const found = result.filter(({ id }) => id !== null);
  return { ok: { messages: found.map(toMessage), users: authorsOf(found), epoch: first.epoch, as_of_seq: Number(first.drained_seq), last: Number(first.last ?? 0) } };
}

/** Pins of one snapshot. `pinSeqs`: by which event each was pinned, in the order of `messages`. */
export interface PinSpan extends Omit<MessageSpan, 'last'> {
  readonly pinSeqs: readonly number[];
}

/** The pinned messages of a channel, for members: of those pinned before the event `before` the last `count`, the newest pin first. */
export async function readPins(db: Queryable, credentialId: string, channelId: string, { before, count }: { before: number; count: number }): Promise<Outcome<PinSpan>> {
  const result = await db.execute<Row & { pin_seq: string }>(sql`
    WITH s AS (${standingOf(credentialId, channelId)}),
    p AS (
      SELECT ${storedColumns}, k.seq AS pin_seq
      FROM (SELECT o.message_id, o.seq FROM pins o WHERE o.channel_id = ${channelId} AND o.seq < ${before} AND (SELECT s.my_role IS NOT NULL FROM s)
            ORDER BY o.seq DESC LIMIT ${count}) k
      JOIN messages m ON m.id = k.message_id
    )
    SELECT s.user_role, s.kind, s.my_role, s.epoch, s.drained_seq, p.pin_seq, ${messageColumns}
    FROM s LEFT JOIN p ON true ${messageTables}
    ORDER BY p.pin_seq DESC`);
  const [first] = result;
  const problem = refuseReader(first);
  if (problem || !first) return { problem: problem ?? { code: 'not_found' } };
  const found = result.filter(({ id }) => id !== null);
  const pinSeqs = found.map(({ pin_seq }) => Number(pin_seq));
  return { ok: { messages: found.map(toMessage), pinSeqs, users: authorsOf(found), epoch: first.epoch, as_of_seq: Number(first.drained_seq) } };
}

/** One message, for members; deleted ones too, as they stand in the listing. */
export async function findMessage(db: Queryable, credentialId: string, channelId: string, messageId: string): Promise<Outcome<Message>> {
  const [row] = await db.execute<Row>(plannedOnce(sql`
    WITH s AS (${standingOf(credentialId, channelId)})
    SELECT s.user_role, s.kind, s.my_role, ${messageColumns}
    FROM s LEFT JOIN messages p ON p.id = ${messageId} AND p.channel_id = ${channelId} AND s.my_role IS NOT NULL ${messageTables}`));
  const problem = refuseReader(row);
  if (problem || !row || row.id === null) return { problem: problem ?? { code: 'not_found' } };
  return { ok: toMessage(row) };
}

/** Where a message stands in its channel's history: a reply stands with its thread's root. Null where the channel has none such. */
export async function findPos(db: Queryable, channelId: string, messageId: string): Promise<number | null> {
  const [row] = await db.execute<{ pos: string | null }>(plannedOnce(sql`
    SELECT coalesce(m.pos, root.pos) AS pos FROM messages m LEFT JOIN messages root ON root.id = m.thread_id
    WHERE m.id = ${messageId} AND m.channel_id = ${channelId}`));
  return row?.pos == null ? null : Number(row.pos);
}

export function toMessage(row: MessageRow): Message {
  return {
    id: row.id,
    channel_id: row.channel_id,
    seq: Number(row.seq),
    pos: row.pos === null ? null : Number(row.pos),
    thread_id: row.thread_id,
    tpos: row.tpos === null ? null : Number(row.tpos),
    author_id: row.author_id,
    client_msg_id: row.client_msg_id,
    text: row.text,
    origin: row.origin,
    revision: row.revision,
    created_at: row.created_at,
    edited_at: row.edited_at,
    deleted_at: row.deleted_at,
    ...(row.is_removed && { removed_by_moderator: true as const }),
    reply_count: row.reply_count,
    reactions: row.reactions ?? [],
    ...(row.pinned_at !== null && row.pinned_by !== null && { pinned: { at: row.pinned_at, by: row.pinned_by } }),
    ...(row.previews !== null && { previews: row.previews }),
    ...(row.file_ids !== null && { file_ids: row.file_ids, files: row.files ?? [] }),
  };
}

export function authorsOf(rows: readonly MessageRow[]): User[] {
  const authors = new Map(
    rows.map(({ author_id, handle, display_name, author_role, avatar }) => [author_id, { id: author_id, handle, display_name, role: author_role, avatar }]),
  );
  return [...authors.values()];
}
