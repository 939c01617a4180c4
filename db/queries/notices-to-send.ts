import type postgres from 'postgres';
import type { NoticeReason, NotificationLevel } from '../../protocol/notifications.ts';

type Fragment = postgres.PendingQuery<postgres.Row[]>;

/** Longest part of a message's text that senders read, in characters. All of them show less. */
const MAX_TEXT = 500;

/** A notice as it stands at this moment: what its user is told of it, and what decides whether they still are. */
export interface NoticeToSend {
  readonly reason: NoticeReason;
  readonly channel_id: string;
  readonly channel_name: string | null;
  readonly message_id: string;
  readonly thread_id: string | null;
  readonly author: string;
  /** At most 500 characters of it. */
  readonly text: string;
  readonly created_at: string;
  readonly is_member: boolean;
  /** Or was never stored, or its author is gone. */
  readonly is_deleted: boolean;
  /** In its channel, or in the list of notifications. */
  readonly is_read: boolean;
  readonly level: NotificationLevel;
  readonly is_muted: boolean;
}

/** The columns of a `NoticeToSend`, of `notifications n` with `noticeJoins`. */
export const noticeColumns = (sql: postgres.ISql): Fragment => sql`
  n.reason, n.channel_id, c.name AS channel_name, n.message_id, n.thread_id, coalesce(a.display_name, '') AS author, coalesce(left(m.text, ${MAX_TEXT}::integer), '') AS text,
  to_char(n.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at, mine.user_id IS NOT NULL AS is_member,
  (m.id IS NULL OR m.deleted_at IS NOT NULL) AS is_deleted, (n.seq <= l.notices_read_seq OR coalesce(n.pos <= r.read_pos, false)) AS is_read,
  coalesce(h.level, g.level, 'mentions') AS level, coalesce(h.muted_until > now(), false) AS is_muted`;

/** What a notice, `notifications n`, is told by; `g` are its user's settings, null where they have none. */
export const noticeJoins = (sql: postgres.ISql): Fragment => sql`
  JOIN channels c ON c.id = n.channel_id
  JOIN inbox_logs l ON l.user_id = n.user_id
  LEFT JOIN members mine ON mine.channel_id = n.channel_id AND mine.user_id = n.user_id
  LEFT JOIN messages m ON m.id = n.message_id
  LEFT JOIN users a ON a.id = n.author_id
  LEFT JOIN read_states r ON r.user_id = n.user_id AND r.channel_id = n.channel_id
  LEFT JOIN channel_notification_settings h ON h.channel_id = n.channel_id AND h.user_id = n.user_id
  LEFT JOIN notification_settings g ON g.user_id = n.user_id`;
