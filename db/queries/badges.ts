import type postgres from 'postgres';
import type { MemberRole } from '../../protocol/events.ts';
import { MAX_UNREAD } from '../../protocol/limits.ts';

type AnySql = postgres.ISql;

/**
 * What a channel has for a member, of one snapshot: `last_pos` and the counts include exactly the events up to `as_of_seq` of `epoch`, and `unread`
 * counts the live top-level messages of others after `read_pos`, which is not before the member joined, among the newest `MAX_UNREAD`, `mentions` those of them that name the user, or of which
 * they have a notice because it called them (a keyword, `@channel`, `@here`); none where the user's level for the channel is `none`.
 */
export interface CountedBadge {
  readonly user_id: string;
  readonly channel_id: string;
  readonly role: MemberRole;
  readonly version: number;
  readonly epoch: number;
  readonly as_of_seq: number;
  readonly last_pos: number;
  readonly read_pos: number;
  readonly read_generation: number;
  readonly unread: number;
  readonly mentions: number;
  /** Of the user's own settings, the channel's, and the log of their inbox, which has the notices, together: 0 before there was any. */
  readonly settings_version: number;
}

/** Counts for members `m` of the condition; each is an index scan over what the member has not read, of at most `MAX_UNREAD` messages. */
function countBadges(sql: AnySql, members: postgres.PendingQuery<postgres.Row[]>): postgres.PendingQuery<CountedBadge[]> {
  return sql<CountedBadge[]>`
    SELECT m.user_id, m.channel_id, m.role, m.version::float8 AS version, l.epoch, l.drained_seq::float8 AS as_of_seq, l.drained_pos::float8 AS last_pos,
      p.read_pos::float8 AS read_pos, coalesce(r.generation, 0)::float8 AS read_generation, n.unread::float8 AS unread,
      CASE WHEN coalesce(k.level, g.level) = 'none' THEN 0 ELSE n.mentions END::float8 AS mentions, (coalesce(g.version, 0) + coalesce(k.version, 0) + coalesce(i.drained_seq, 0))::float8 AS settings_version
    FROM (${members}) m
    JOIN users u ON u.id = m.user_id
    JOIN conversation_logs l ON l.channel_id = m.channel_id
    LEFT JOIN read_states r ON r.user_id = m.user_id AND r.channel_id = m.channel_id
    CROSS JOIN LATERAL (SELECT read_place(r.generation, r.read_pos, m.joined_pos) AS read_pos) p
    LEFT JOIN inbox_logs i ON i.user_id = m.user_id
    LEFT JOIN notification_settings g ON g.user_id = m.user_id
    LEFT JOIN channel_notification_settings k ON k.channel_id = m.channel_id AND k.user_id = m.user_id
    CROSS JOIN LATERAL (SELECT array_append(ARRAY(SELECT f.handle FROM former_handles f WHERE f.user_id = u.id), u.handle) AS handles) h
    CROSS JOIN LATERAL (
      SELECT array_agg(o.pos) AS calls FROM notifications o
      WHERE o.user_id = m.user_id AND o.channel_id = m.channel_id AND o.reason IN ('keyword', 'channel_mention') AND o.pos > coalesce(p.read_pos, 0)
    ) c
    CROSS JOIN LATERAL (
      SELECT count(*) AS unread,
        count(*) FILTER (WHERE x.pos = ANY (c.calls) OR EXISTS (SELECT FROM unnest(h.handles) a WHERE position('@' || a IN lower(x.text)) > 0) AND mentioned_handles(x.text) && h.handles) AS mentions
      FROM messages x
      WHERE x.channel_id = m.channel_id AND x.thread_id IS NULL AND x.pos > greatest(p.read_pos, l.drained_pos - ${MAX_UNREAD}::bigint)
        AND x.deleted_at IS NULL AND x.author_id <> m.user_id
    ) n`;
}

/** A user's badges of all their channels. */
export async function countUserBadges(sql: AnySql, userId: string): Promise<CountedBadge[]> {
  return await countBadges(sql, sql`SELECT o.user_id, o.channel_id, o.role, o.version, o.joined_pos FROM members o WHERE o.user_id = ${userId}`);
}

/** The badges of a channel for each member whose inbox is awake. */
export async function countAwakeBadges(sql: AnySql, channelIds: readonly string[]): Promise<CountedBadge[]> {
  return await countBadges(
    sql,
    sql`SELECT o.user_id, o.channel_id, o.role, o.version, o.joined_pos FROM members o JOIN inbox_logs a ON a.user_id = o.user_id AND a.is_awake
        WHERE o.channel_id IN (SELECT (c.value #>> '{}')::uuid FROM jsonb_array_elements(${JSON.stringify(channelIds)}::text::jsonb) c)`,
  );
}

/** The badges of all channels of these users, as far as their inboxes are awake. */
export async function countBadgesOfUsers(sql: AnySql, userIds: readonly string[]): Promise<CountedBadge[]> {
  if (userIds.length === 0) return [];
  return await countBadges(
    sql,
    sql`SELECT o.user_id, o.channel_id, o.role, o.version, o.joined_pos FROM members o JOIN inbox_logs a ON a.user_id = o.user_id AND a.is_awake
        WHERE o.user_id IN (SELECT (u.value #>> '{}')::uuid FROM jsonb_array_elements(${JSON.stringify(userIds)}::text::jsonb) u)`,
  );
}

/** Of single members, each as [user, channel], as far as their inboxes are awake. */
export async function countBadgesOf(sql: AnySql, pairs: readonly (readonly [string, string])[]): Promise<CountedBadge[]> {
  return await countBadges(
    sql,
    sql`SELECT o.user_id, o.channel_id, o.role, o.version, o.joined_pos
        FROM (SELECT DISTINCT (p.value ->> 0)::uuid AS user_id, (p.value ->> 1)::uuid AS channel_id FROM jsonb_array_elements(${JSON.stringify(pairs)}::text::jsonb) p) p
        JOIN members o ON o.user_id = p.user_id AND o.channel_id = p.channel_id
        JOIN inbox_logs a ON a.user_id = o.user_id AND a.is_awake`,
  );
}

/**
 * From now on the inbox is told of badges. What was committed before is in what is read after this; whatever is committed later
 * finds it awake. `version` is not below any earlier one of this inbox.
 */
export async function wakeInbox(sql: AnySql, userId: string, version: number): Promise<void> {
  await sql`UPDATE inbox_logs SET is_awake = true, awake_version = ${version} WHERE user_id = ${userId} AND awake_version <= ${version}`;
}

/** Tells these inboxes no more badges, unless they have woken since the version they gave. */
export async function letInboxesSleep(sql: AnySql, inboxes: readonly { readonly user_id: string; readonly awake_version: number }[]): Promise<void> {
  await sql`
    UPDATE inbox_logs l SET is_awake = false
    FROM jsonb_to_recordset(${JSON.stringify(inboxes)}::text::jsonb) AS s (user_id uuid, awake_version bigint)
    WHERE l.user_id = s.user_id AND l.awake_version = s.awake_version`;
}
