import type postgres from 'postgres';
import type { MemberRole } from '../../protocol/events.ts';

/** Handles of one message that are looked up, and replies of a thread whose authors are told of the next. */
const MAX_MENTIONS = 50;
const MAX_REPLIES = 1_000;

/** A new message of somebody; `n` is the caller's own number for it. */
export interface NoticedMessage {
  readonly n: number;
  readonly channel_id: string;
  readonly author_id: string;
  readonly thread_id: string | null;
  readonly text: string;
}

/** Whom message `n` is meant for, by the first reason that fits, and the membership by which they may know. */
export interface NoticeTarget {
  readonly n: number;
  readonly user_id: string;
  readonly reason: 'direct' | 'mention' | 'thread_reply';
  readonly role: MemberRole;
  readonly version: number;
}

/** Members only, and never the author. */
export async function findNoticeTargets(sql: postgres.ISql, messages: readonly NoticedMessage[]): Promise<NoticeTarget[]> {
  if (messages.length === 0) return [];
  return await sql<NoticeTarget[]>`
    WITH sent AS (
      SELECT s.n, s.channel_id, s.author_id, s.thread_id, s.text
      FROM jsonb_to_recordset(${JSON.stringify(messages)}::text::jsonb) AS s (n integer, channel_id uuid, author_id uuid, thread_id uuid, text text)
    ), meant AS (
      SELECT s.n, m.user_id, 1 AS place, 'direct' AS reason
      FROM sent s JOIN channels c ON c.id = s.channel_id AND c.kind = 'direct' JOIN members m ON m.channel_id = s.channel_id
      UNION ALL
      SELECT s.n, u.id, 2, 'mention'
      FROM sent s CROSS JOIN LATERAL unnest((mentioned_handles(s.text))[1:${MAX_MENTIONS}::integer]) h JOIN users u ON u.handle = h
      UNION ALL
      SELECT s.n, a.author_id, 3, 'thread_reply'
      FROM sent s CROSS JOIN LATERAL (
        SELECT r.author_id FROM messages r WHERE r.id = s.thread_id
        UNION
        SELECT l.author_id FROM (
          SELECT r.author_id FROM messages r WHERE r.thread_id = s.thread_id ORDER BY r.tpos DESC LIMIT ${MAX_REPLIES}::integer
        ) l
      ) a
    )
    SELECT DISTINCT ON (t.n, t.user_id) t.n, t.user_id, t.reason, m.role, m.version::float8 AS version
    FROM meant t JOIN sent s ON s.n = t.n JOIN members m ON m.channel_id = s.channel_id AND m.user_id = t.user_id
    WHERE t.user_id <> s.author_id ORDER BY t.n, t.user_id, t.place`;
}
