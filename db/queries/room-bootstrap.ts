import type postgres from 'postgres';
import type { MemberRole } from '../../protocol/events.ts';
import type { Sql } from '../client.ts';
import { firstEpoch, nextEpoch } from './epochs.ts';

/** Within the transaction of `claimLog`. */
type Tx = postgres.TransactionSql;

/** Rows of one round trip where a channel is read whole. */
const ROWS = 2_000;

export interface ClaimedLog {
  readonly kind: 'public' | 'private' | 'direct';
  readonly archived: boolean;
  /** Of the channel: what `archived` is as of. */
  readonly version: number;
  readonly epoch: number;
  readonly fence: number;
  readonly drained_seq: number;
  readonly drained_pos: number;
}

/**
 * Takes a channel's log for a room that knows nothing: every earlier instance is fenced from now on, and where there was one, the epoch
 * moves on, for events it had not drained are lost. Locks the row until the transaction ends, so what is read in it is exactly
 * everything up to `drained_seq`. Null: no such channel.
 */
export async function claimLog(sql: Tx, channelId: string): Promise<ClaimedLog | null> {
  const [claimed] = await sql<ClaimedLog[]>`
    WITH claimed AS (
      INSERT INTO conversation_logs AS l (channel_id, fence, epoch)
      SELECT o.id, 1, ${firstEpoch(sql)} FROM channels o WHERE o.id = ${channelId}
      ON CONFLICT (channel_id) DO UPDATE
        SET fence = l.fence + 1, epoch = CASE WHEN l.fence > 0 OR l.drained_seq > 0 THEN ${nextEpoch(sql)} ELSE EXCLUDED.epoch END
      RETURNING channel_id, epoch, fence, drained_seq, drained_pos
    )
    SELECT c.kind, c.archived_at IS NOT NULL AS archived, c.version, l.epoch, l.fence::float8 AS fence, l.drained_seq::float8 AS drained_seq,
      l.drained_pos::float8 AS drained_pos
    FROM claimed l JOIN channels c ON c.id = l.channel_id`;
  return claimed ?? null;
}

/** `role` null: was a member; so the room knows an older change again by its version. */
export interface MemberRow {
  readonly user_id: string;
  readonly role: MemberRole | null;
  readonly version: number;
}

export async function* channelMembers(sql: Tx, channelId: string): AsyncGenerator<readonly MemberRow[]> {
  yield* sql<MemberRow[]>`
    SELECT m.user_id, m.role, m.version::float8 AS version FROM members m WHERE m.channel_id = ${channelId}
    UNION ALL
    SELECT f.user_id, NULL, f.version::float8 FROM former_members f WHERE f.channel_id = ${channelId}`.cursor(ROWS);
}

/** `text` is null where the message no longer says what was first sent. `at` in epoch milliseconds. */
export interface MessageIndexRow {
  readonly id: string;
  readonly author_id: string;
  readonly client_msg_id: string;
  readonly seq: number;
  readonly pos: number | null;
  readonly thread_id: string | null;
  readonly tpos: number | null;
  readonly last_tpos: number;
  readonly deleted: boolean;
  readonly revision: number;
  readonly at: number;
  readonly text: string | null;
}

/** Every message of the channel, top-level ones and then replies, by the indexes of each. */
export async function* channelMessages(sql: Tx, channelId: string): AsyncGenerator<readonly MessageIndexRow[]> {
  const columns = sql`
    m.id, m.author_id, m.client_msg_id, m.seq::float8 AS seq, m.pos::float8 AS pos, m.thread_id, m.tpos::float8 AS tpos,
    m.deleted_at IS NOT NULL AS deleted, m.revision, extract(epoch FROM m.created_at)::float8 * 1000 AS at,
    CASE WHEN m.revision = 1 AND m.deleted_at IS NULL THEN m.text END AS text`;
  yield* sql<MessageIndexRow[]>`
    SELECT ${columns}, coalesce(t.last_tpos, 0)::float8 AS last_tpos
    FROM messages m LEFT JOIN threads t ON t.root_id = m.id
    WHERE m.channel_id = ${channelId} AND m.thread_id IS NULL ORDER BY m.pos`.cursor(ROWS);
  yield* sql<MessageIndexRow[]>`
    SELECT ${columns}, 0::float8 AS last_tpos
    FROM threads t JOIN messages m ON m.thread_id = t.root_id
    WHERE t.channel_id = ${channelId} AND m.channel_id = ${channelId}`.cursor(ROWS);
}

export interface ReactionRow {
  readonly message_id: string;
  readonly emoji: string;
  readonly user_id: string;
  readonly seq: number;
}

export async function* channelReactions(sql: Tx, channelId: string): AsyncGenerator<readonly ReactionRow[]> {
  yield* sql<ReactionRow[]>`
    SELECT r.message_id, r.emoji, r.user_id, r.seq::float8 AS seq FROM reactions r WHERE r.channel_id = ${channelId}`.cursor(ROWS);
}

export interface PinRow {
  readonly message_id: string;
  readonly seq: number;
}

export async function* channelPins(sql: Tx, channelId: string): AsyncGenerator<readonly PinRow[]> {
  yield* sql<PinRow[]>`SELECT p.message_id, p.seq::float8 AS seq FROM pins p WHERE p.channel_id = ${channelId}`.cursor(ROWS);
}

export interface PreviewRow {
  readonly message_id: string;
  readonly revision: number;
  readonly removed_seq: number | null;
}

export async function* channelPreviews(sql: Tx, channelId: string): AsyncGenerator<readonly PreviewRow[]> {
  yield* sql<PreviewRow[]>`
    SELECT p.message_id, p.revision, p.removed_seq::float8 AS removed_seq FROM message_previews p WHERE p.channel_id = ${channelId}`.cursor(ROWS);
}

export interface FoundMembership {
  readonly kind: 'public' | 'private' | 'direct';
  /** Of the channel: what `kind` is as of. */
  readonly channel_version: number;
  readonly role: MemberRole | null;
  readonly version: number | null;
}

/** One user's place in a channel. Null: no such channel. */
export async function findMembership(sql: Sql, channelId: string, userId: string): Promise<FoundMembership | null> {
  const [found] = await sql<FoundMembership[]>`
    SELECT c.kind, c.version AS channel_version, m.role, m.version::float8 AS version
    FROM channels c LEFT JOIN members m ON m.channel_id = c.id AND m.user_id = ${userId}
    WHERE c.id = ${channelId}`;
  return found ?? null;
}

/** Where Postgres stands with a channel's log. `event_id`: the event at `drained_seq`; null where there is none, or it is not kept. */
export interface LogPlace {
  readonly epoch: number;
  readonly fence: number;
  readonly drained_seq: number;
  readonly event_id: string | null;
}

export async function findLogPlace(sql: Sql, channelId: string): Promise<LogPlace | null> {
  const [place] = await sql<LogPlace[]>`
    SELECT l.epoch, l.fence::float8 AS fence, l.drained_seq::float8 AS drained_seq,
      (SELECT e.event_id FROM event_log e
       WHERE e.key = l.channel_id AND e.channel_seq = l.drained_seq AND e.topic = 'message.events' LIMIT 1) AS event_id
    FROM conversation_logs l WHERE l.channel_id = ${channelId}`;
  return place ?? null;
}

export interface LogMove {
  readonly channelId: string;
  /** The place as it was found. Where it has changed since, nothing moves. */
  readonly found: LogPlace;
  readonly epoch: number;
  readonly fence: number;
  readonly drainedSeq: number;
}

/** Gives a room's log a new claim on its place. False: somebody was faster. */
export async function moveLog(sql: Sql, { channelId, found, epoch, fence, drainedSeq }: LogMove): Promise<boolean> {
  const moved = await sql`
    UPDATE conversation_logs SET epoch = ${epoch}, fence = ${fence}, drained_seq = ${drainedSeq}
    WHERE channel_id = ${channelId} AND epoch = ${found.epoch} AND fence = ${found.fence} AND drained_seq = ${found.drained_seq}
    RETURNING channel_id`;
  return moved.length > 0;
}

/** Keeps events, as a JSON array, that a room must give up because Postgres goes on with another log of the same channel. */
export async function keepForkedEvents(sql: Sql, channelId: string, epoch: number, eventsJson: string): Promise<void> {
  await sql`
    INSERT INTO dead_letters (stage, topic, record_key, record_value, headers, error_class, error_message, attempts, first_failed_at, last_failed_at)
    SELECT 'drain', 'message.events', convert_to(${channelId}::text, 'UTF8'), convert_to(e.value::text, 'UTF8'),
      jsonb_build_object('forked_seq', e.value ->> 'seq', 'forked_epoch', ${epoch}::text), 'forked_log',
      'the room''s log and the stored one had parted', 1, now(), now()
    FROM jsonb_array_elements(${eventsJson}::text::jsonb) e`;
}
