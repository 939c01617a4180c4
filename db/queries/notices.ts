import type postgres from 'postgres';
import type { MemberRole } from '../../protocol/events.ts';
import { MAX_OPEN_BROADCAST } from '../../protocol/limits.ts';
import type { NoticeReason, NotificationLevel } from '../../protocol/notifications.ts';

/** Handles of one message that are looked up. */
const MAX_MENTIONS = 50;

/** A message of somebody, as it was sent or as an edit has made it; `n` is the caller's own number for it, `at` the moment of that, in epoch milliseconds. */
export interface NoticedMessage {
  readonly n: number;
  readonly channel_id: string;
  readonly author_id: string;
  readonly thread_id: string | null;
  readonly tpos: number | null;
  readonly text: string;
  readonly at: number;
  /** Only whom the text names, then. */
  readonly is_edit: boolean;
}

/** A phrase of message `n` that may be somebody's keyword (`protocol/keywords.ts`). */
export interface NoticedPhrase {
  readonly n: number;
  readonly phrase: string;
}

/** Quiet hours as they are stored; all of it null where there are none. */
export interface StoredQuietHours {
  readonly quiet_start: number | null;
  readonly quiet_end: number | null;
  readonly quiet_zone: string | null;
  readonly quiet_weekdays: number | null;
}

/** Whom message `n` may be meant for: why, the membership by which they may know, and what they want to be told. */
export interface NoticeCandidate extends StoredQuietHours {
  readonly n: number;
  readonly user_id: string;
  readonly role: MemberRole;
  readonly version: number;
  readonly reasons: readonly NoticeReason[];
  /** Of the channel, or of the user where that says nothing. */
  readonly level: NotificationLevel;
  /** The channel was, at that moment. */
  readonly is_muted: boolean;
}

/** Members only, and never the author. One statement, whose cost is by who is concerned: nothing looks at the keywords of a channel's members one by one. */
export async function findNoticeCandidates(sql: postgres.ISql, messages: readonly NoticedMessage[], phrases: readonly NoticedPhrase[]): Promise<NoticeCandidate[]> {
  if (messages.length === 0) return [];
  return await sql<NoticeCandidate[]>`
    WITH given AS (
      SELECT s.n, s.channel_id, s.author_id, s.thread_id, s.tpos, s.text, s.is_edit, to_timestamp(s.at / 1000.0) AS at
      FROM jsonb_to_recordset(${JSON.stringify(messages)}::text::jsonb) AS s (n integer, channel_id uuid, author_id uuid, thread_id uuid, tpos bigint, text text, at float8, is_edit boolean)
    ), sent AS MATERIALIZED (
      SELECT g.n, g.channel_id, g.author_id, g.thread_id, g.tpos, g.is_edit, g.at, c.kind, mentioned_handles(g.text) AS handles
      FROM given g JOIN channels c ON c.id = g.channel_id
    ), broadcast AS MATERIALIZED (
      SELECT s.n, s.channel_id, 'channel' = ANY (s.handles) AS to_all
      FROM sent s JOIN users a ON a.id = s.author_id LEFT JOIN members am ON am.channel_id = s.channel_id AND am.user_id = s.author_id
      WHERE NOT s.is_edit AND s.handles && ARRAY['channel', 'here'] AND (
        am.role IN ('owner', 'admin') OR a.role IN ('admin', 'moderator') OR (a.role <> 'guest' AND NOT EXISTS (
          SELECT 1 FROM members o WHERE o.channel_id = s.channel_id OFFSET ${MAX_OPEN_BROADCAST}::integer
        )))
    ), watched AS (
      SELECT k.channel_id, k.user_id FROM channel_notification_settings k WHERE k.level = 'all' AND k.channel_id IN (SELECT s.channel_id FROM sent s)
      UNION
      SELECT m.channel_id, m.user_id FROM notification_settings g JOIN members m ON m.user_id = g.user_id
      WHERE g.level = 'all' AND m.channel_id IN (SELECT s.channel_id FROM sent s)
    ), meant AS (
      SELECT s.n, m.user_id, 'direct' AS reason FROM sent s JOIN members m ON m.channel_id = s.channel_id WHERE s.kind = 'direct' AND NOT s.is_edit
      UNION ALL
      SELECT s.n, named.user_id, 'mention' FROM sent s CROSS JOIN LATERAL unnest(s.handles[1:${MAX_MENTIONS}::integer]) h CROSS JOIN LATERAL (
        SELECT u.id AS user_id FROM users u WHERE u.handle = h UNION ALL SELECT f.user_id FROM former_handles f WHERE f.handle = h
      ) named
      UNION ALL
      SELECT p.n, k.user_id, 'keyword'
      FROM jsonb_to_recordset(${JSON.stringify(phrases)}::text::jsonb) AS p (n integer, phrase text)
      -- OFFSET: each phrase is looked up by itself. Joined as a whole the planner would read all keywords where many users have the same.
      CROSS JOIN LATERAL (SELECT o.user_id FROM notification_keywords o WHERE o.phrase = p.phrase OFFSET 0) k
      UNION ALL
      SELECT s.n, f.user_id, 'thread_reply'
      FROM sent s JOIN thread_followers f ON f.root_id = s.thread_id AND f.since_tpos < s.tpos WHERE NOT s.is_edit
      UNION ALL
      SELECT b.n, m.user_id, 'channel_mention'
      FROM broadcast b JOIN members m ON m.channel_id = b.channel_id LEFT JOIN inbox_logs i ON i.user_id = m.user_id AND NOT b.to_all
      WHERE b.to_all OR i.is_awake
      UNION ALL
      SELECT s.n, w.user_id, 'all' FROM sent s JOIN watched w ON w.channel_id = s.channel_id WHERE NOT s.is_edit
    ), candidates AS (
      SELECT t.n, t.user_id, jsonb_agg(DISTINCT t.reason) AS reasons FROM meant t GROUP BY t.n, t.user_id
    )
    SELECT t.n, t.user_id, t.reasons, m.role, m.version::float8 AS version, coalesce(k.level, g.level, 'mentions') AS level,
      coalesce(k.muted_until > s.at, false) AS is_muted, g.quiet_start, g.quiet_end, g.quiet_zone, g.quiet_weekdays
    FROM candidates t JOIN sent s ON s.n = t.n JOIN members m ON m.channel_id = s.channel_id AND m.user_id = t.user_id
    LEFT JOIN channel_notification_settings k ON k.channel_id = s.channel_id AND k.user_id = t.user_id
    LEFT JOIN notification_settings g ON g.user_id = t.user_id
    WHERE t.user_id <> s.author_id ORDER BY t.n, t.user_id`;
}

/** An edited message as it was sent; `created_at` in epoch milliseconds. */
export interface SentMessage {
  readonly message_id: string;
  readonly seq: number;
  readonly pos: number | null;
  readonly thread_id: string | null;
  readonly created_at: number;
}

/** Of these messages those that are there still, and were not imported. */
export async function findSentMessages(sql: postgres.ISql, ids: readonly string[]): Promise<SentMessage[]> {
  if (ids.length === 0) return [];
  return await sql<SentMessage[]>`
    SELECT m.id AS message_id, m.seq::float8 AS seq, m.pos::float8 AS pos, m.thread_id, (extract(epoch FROM m.created_at) * 1000)::float8 AS created_at
    FROM (SELECT DISTINCT (i.value #>> '{}')::uuid AS id FROM jsonb_array_elements(${JSON.stringify(ids)}::text::jsonb) i) i JOIN messages m ON m.id = i.id
    WHERE m.deleted_at IS NULL AND m.origin IS NULL`;
}
