import type postgres from 'postgres';
import type { MemberRole } from '../../protocol/events.ts';
import type { Sql } from '../client.ts';
import { firstEpoch, nextEpoch } from './epochs.ts';
import type { DrainAnswer } from './drain.ts';
import type { LogPlace } from './room-bootstrap.ts';

/** The log of one user's inbox in Postgres, as the inbox itself uses it: its claim, its drain, its place. */
type Tx = postgres.TransactionSql;

export interface ClaimedInbox {
  readonly epoch: number;
  readonly fence: number;
  readonly drained_seq: number;
  readonly awake_version: number;
  readonly notices_read_seq: number;
}

/**
 * Takes the log for an inbox that knows nothing: every earlier instance is fenced, and where there was one, the epoch moves on, for events
 * it had not drained are lost. Null: no such user.
 */
export async function claimInbox(sql: Tx, userId: string): Promise<ClaimedInbox | null> {
  const [claimed] = await sql<ClaimedInbox[]>`
    INSERT INTO inbox_logs AS l (user_id, fence, epoch) SELECT o.id, 1, ${firstEpoch(sql)} FROM users o WHERE o.id = ${userId}
    ON CONFLICT (user_id) DO UPDATE
      SET fence = l.fence + 1, is_awake = false, epoch = CASE WHEN l.fence > 0 OR l.drained_seq > 0 THEN ${nextEpoch(sql)} ELSE EXCLUDED.epoch END
    RETURNING l.epoch, l.fence::float8 AS fence, l.drained_seq::float8 AS drained_seq, l.awake_version::float8 AS awake_version,
      l.notices_read_seq::float8 AS notices_read_seq`;
  return claimed ?? null;
}

/** A channel of the user, or one they have left (`role` null). `notified_seq`: the last event of the channel that the inbox was notified of. */
export interface InboxChannelRow {
  readonly channel_id: string;
  readonly role: MemberRole | null;
  readonly version: number;
  readonly read_pos: number;
  readonly read_generation: number;
  readonly notified_seq: number;
}

/** Within the transaction of `claimInbox`. */
export async function inboxChannels(sql: Tx, userId: string): Promise<InboxChannelRow[]> {
  return await sql<InboxChannelRow[]>`
    SELECT k.channel_id, k.role, k.version::float8 AS version, coalesce(read_place(r.generation, r.read_pos, k.joined_pos), 0)::float8 AS read_pos,
      coalesce(r.generation, 0)::float8 AS read_generation, coalesce(n.seq, 0)::float8 AS notified_seq
    FROM (
      SELECT m.channel_id, m.role, m.version, m.joined_pos FROM members m WHERE m.user_id = ${userId}
      UNION ALL SELECT f.channel_id, NULL, f.version, 0 FROM former_members f WHERE f.user_id = ${userId}
    ) k
    LEFT JOIN read_states r ON r.user_id = ${userId} AND r.channel_id = k.channel_id
    LEFT JOIN (
      SELECT (e.data ->> 'channel_id')::uuid AS channel_id, max((e.data ->> 'channel_seq')::bigint) AS seq FROM event_log e
      WHERE e.key = ${userId} AND e.channel_seq IS NOT NULL AND e.topic = 'user.events' AND e.data ->> 'type' = 'message.notified' GROUP BY 1
    ) n ON n.channel_id = k.channel_id`;
}

/** A user's place in a channel; `role` and `version` null: they never were a member. `isVisible`: they may know that it is there. */
export interface FoundInboxChannel {
  readonly isVisible: boolean;
  readonly role: MemberRole | null;
  readonly version: number | null;
}

/** Null: no such channel. */
export async function findInboxChannel(sql: Sql, userId: string, channelId: string): Promise<FoundInboxChannel | null> {
  const [found] = await sql<FoundInboxChannel[]>`
    SELECT m.role IS NOT NULL OR (c.kind = 'public' AND u.role <> 'guest') AS "isVisible", m.role, coalesce(m.version, f.version)::float8 AS version
    FROM channels c JOIN users u ON u.id = ${userId}
    LEFT JOIN members m ON m.channel_id = c.id AND m.user_id = u.id
    LEFT JOIN former_members f ON f.channel_id = c.id AND f.user_id = u.id
    WHERE c.id = ${channelId}`;
  return found ?? null;
}

export interface InboxClaim {
  readonly userId: string;
  readonly epoch: number;
  readonly fence: number;
}

type Row = { status: DrainAnswer['status']; drained_seq: string };

/** Projects a batch of an inbox in one transaction and one statement; `eventsJson` as for a room's. */
export async function drainInbox(sql: Sql, { userId, epoch, fence }: InboxClaim, eventsJson: string, tracesJson: string | null = null): Promise<DrainAnswer> {
  return answer(
    tracesJson === null
      ? await sql<Row[]>`SELECT status, drained_seq FROM drain_inbox(${userId}, ${epoch}, ${fence}, ${eventsJson}::text::jsonb)`
      : await sql<Row[]>`SELECT status, drained_seq FROM drain_traced_inbox(${userId}, ${epoch}, ${fence}, ${eventsJson}::text::jsonb, ${tracesJson}::text::jsonb)`,
  );
}

export async function skipInboxPoison(sql: Sql, { userId, epoch, fence }: InboxClaim, event: { seq: number; json: string }, message: string): Promise<DrainAnswer> {
  return answer(await sql<Row[]>`
    SELECT status, drained_seq
    FROM skip_poison_inbox_event(${userId}, ${epoch}, ${fence}, ${event.seq}, convert_to(${event.json}::text, 'UTF8'), 'data', ${message})`);
}

function answer([row]: readonly Row[]): DrainAnswer {
  if (row === undefined) throw new Error('the drain function returned no row');
  return { status: row.status, drained_seq: Number(row.drained_seq) };
}

export async function findInboxPlace(sql: Sql, userId: string): Promise<LogPlace | null> {
  const [place] = await sql<LogPlace[]>`
    SELECT l.epoch, l.fence::float8 AS fence, l.drained_seq::float8 AS drained_seq,
      (SELECT e.event_id FROM event_log e
       WHERE e.key = l.user_id AND e.channel_seq = l.drained_seq AND e.topic = 'user.events' LIMIT 1) AS event_id
    FROM inbox_logs l WHERE l.user_id = ${userId}`;
  return place ?? null;
}

/** Gives the log a new claim on its place. False: somebody was faster. */
export async function moveInbox(sql: Sql, { userId, epoch, fence }: InboxClaim, found: LogPlace, drainedSeq: number): Promise<boolean> {
  const moved = await sql`
    UPDATE inbox_logs SET epoch = ${epoch}, fence = ${fence}, drained_seq = ${drainedSeq}
    WHERE user_id = ${userId} AND epoch = ${found.epoch} AND fence = ${found.fence} AND drained_seq = ${found.drained_seq}
    RETURNING user_id`;
  return moved.length > 0;
}

/** Keeps events, as a JSON array, that an inbox must give up because Postgres goes on with another log of the same user. */
export async function keepForkedInbox(sql: Sql, userId: string, epoch: number, eventsJson: string): Promise<void> {
  await sql`
    INSERT INTO dead_letters (stage, topic, record_key, record_value, headers, error_class, error_message, attempts, first_failed_at, last_failed_at)
    SELECT 'drain', 'user.events', convert_to(${userId}::text, 'UTF8'), convert_to(e.value::text, 'UTF8'),
      jsonb_build_object('forked_seq', e.value ->> 'seq', 'forked_epoch', ${epoch}::text), 'forked_log',
      'the inbox''s log and the stored one had parted', 1, now(), now()
    FROM jsonb_array_elements(${eventsJson}::text::jsonb) e`;
}
