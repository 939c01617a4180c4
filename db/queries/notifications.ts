import { sql } from 'drizzle-orm';
import type { NotificationPage, User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Notification } from '../../protocol/notifications.ts';
import type { Queryable } from '../client.ts';
import { callerRow } from './access.ts';
import { avatarOf } from './avatar-column.ts';
import { wireTime } from './time.ts';

export interface NotificationsRequest {
  readonly unread: boolean;
  /** Only those with a lower `seq`. */
  readonly before: number;
  readonly limit: number;
}

type Found = Omit<NotificationPage, 'next_cursor'>;
type Row = Omit<Notification, 'seq' | 'pos' | 'text'> & {
  seq: string; pos: string | null; text: string | null; read_seq: string | null; handle: string; display_name: string; author_role: User['role']; avatar: User['avatar']; [column: string]: unknown;
};

/** The caller's, the newest first, of channels of which they are a member at this moment (G5). */
export async function listNotifications(db: Queryable, credentialId: string, { unread, before, limit }: NotificationsRequest): Promise<Outcome<Found>> {
  const rows = await db.execute<Row>(sql`
    SELECT p.id, p.seq, p.reason, p.channel_id, p.message_id, p.author_id, p.pos, p.thread_id, x.text, p.quiet, p.read, ${wireTime(sql`p.created_at`)} AS created_at,
      l.notices_read_seq AS read_seq, a.handle, a.display_name, a.role AS author_role, ${avatarOf(sql`a`)} AS avatar
    FROM (${callerRow(credentialId)}) me
    LEFT JOIN inbox_logs l ON l.user_id = me.id
    LEFT JOIN LATERAL (
      SELECT n.id, n.seq, n.reason, n.channel_id, n.message_id, n.author_id, n.pos, n.thread_id, n.quiet, n.created_at, s.read
      FROM notifications n
      JOIN members mine ON mine.channel_id = n.channel_id AND mine.user_id = n.user_id
      LEFT JOIN read_states r ON r.user_id = n.user_id AND r.channel_id = n.channel_id
      CROSS JOIN LATERAL (SELECT n.seq <= l.notices_read_seq OR coalesce(n.pos <= r.read_pos, false) AS read) s
      WHERE n.user_id = me.id AND n.seq < ${before} AND NOT (${unread} AND s.read)
      ORDER BY n.seq DESC LIMIT ${limit}
    ) p ON true
    LEFT JOIN messages x ON x.id = p.message_id
    LEFT JOIN users a ON a.id = p.author_id
    ORDER BY p.seq DESC`);
  const [first] = rows;
  if (first === undefined) return { problem: { code: 'unauthenticated' } };
  const found = rows.filter(({ id }) => id !== null);
  return { ok: { data: found.map(toNotification), read_seq: Number(first.read_seq ?? 0), users: authorsOf(found) } };
}

function toNotification(row: Row): Notification {
  const { id, seq, reason, channel_id, message_id, author_id, pos, thread_id, text, quiet, read, created_at } = row;
  return { id, seq: Number(seq), reason, channel_id, message_id, author_id, pos: pos === null ? null : Number(pos), thread_id, text: text ?? '', quiet, read, created_at };
}

const authorsOf = (rows: readonly Row[]): User[] => [
  ...new Map(rows.map(({ author_id: id, handle, display_name, author_role: role, avatar }) => [id, { id, handle, display_name, role, avatar }])).values(),
];
