import { sql, type SQL } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { Channel, DirectChannel, MyChannel } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import { isClosedGeneral } from '../../protocol/general.ts';
import type { Queryable, Transaction } from '../client.ts';
import type { Asking } from '../in-one-statement.ts';
import { channels, conversationLogs } from '../schema/tables.ts';
import { callerRow, refuseViewer, standingColumns, standingTables, type Standing } from './access.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { insertMember, type MemberChange } from './members.ts';
import { wireTime } from './time.ts';
import { type ReadingRow, readingColumns, toReading } from './reading.ts';

const channelColumns: SQL = sql`ch.id, ch.kind, ch.name, ch.topic, ch.purpose, ${wireTime(sql`ch.created_at`)} AS created_at,
  ${wireTime(sql`ch.archived_at`)} AS archived_at, ch.version, mine.role AS my_role`;

type Row<T> = { [column: string]: unknown } & T;

function toChannel(row: Row<Channel>): Channel {
  const { id, kind, name, topic, purpose, created_at, archived_at, version, my_role } = row;
  return { id, kind, name, topic, purpose, created_at, archived_at, version, my_role };
}

/** What the caller may see, in the order of lower-case names, after the channel `after`: public channels (not for guests) and those the caller is a member of. */
export async function listChannels(db: Queryable, credentialId: string, page: { after: string | null; limit: number }): Promise<Outcome<Channel[]>> {
  // Postgres folds and orders the names, so it has to say where the last page ended.
  const after = page.after === null ? sql`` : sql`AND lower(ch.name) > (SELECT lower(l.name) FROM channels l WHERE l.id = ${page.after})`;
  const rows = await db.execute<Row<Channel>>(sql`
    SELECT ch.* FROM (${callerRow(credentialId)}) me LEFT JOIN LATERAL (
      SELECT ${channelColumns} FROM channels ch LEFT JOIN members mine ON mine.channel_id = ch.id AND mine.user_id = me.id
      WHERE ch.kind <> 'direct' ${after} AND (mine.role IS NOT NULL OR (ch.kind = 'public' AND me.role <> 'guest'))
      ORDER BY lower(ch.name) LIMIT ${page.limit}
    ) ch ON true ORDER BY lower(ch.name)`);
  return rows.length === 0 ? { problem: { code: 'unauthenticated' } } : { ok: rows.filter((row) => row.id !== null).map(toChannel) };
}

/** Whatever kind of channel it is. */
export async function findAnyChannel(db: Queryable, credentialId: string, channelId: string): Promise<Outcome<Channel | DirectChannel>> {
  const [row] = await db.execute<Row<Channel & Standing & { user_ids: string[] | null }>>(sql`
    SELECT ${channelColumns}, to_json(ch.direct_user_ids) AS user_ids, ${standingColumns} FROM ${standingTables(credentialId, channelId)}`);
  const problem = refuseViewer(row);
  if (problem || !row) return { problem: problem ?? { code: 'not_found' } };
  const { id, user_ids, created_at } = row;
  return { ok: user_ids === null ? toChannel(row) : { id, kind: 'direct', user_ids, created_at } };
}

/** One with a name: a direct channel is none of these. */
export async function findChannel(db: Queryable, credentialId: string, channelId: string): Promise<Outcome<Channel>> {
  const found = await findAnyChannel(db, credentialId, channelId);
  if ('problem' in found) return found;
  const { ok: channel } = found;
  return channel.kind === 'direct' ? { problem: { code: 'not_found' } } : { ok: channel };
}

/** The caller's channels with what a first paint needs, of one snapshot; at most `limit`, in the order of names. */
export async function listMyChannels(db: Asking, credentialId: string, limit: number): Promise<MyChannel[]> {
  const rows = await db.execute<Row<Channel> & ReadingRow>(sql`
    SELECT ${channelColumns}, ${readingColumns}
    FROM (${callerRow(credentialId)}) me
    JOIN members mine ON mine.user_id = me.id
    JOIN channels ch ON ch.id = mine.channel_id AND ch.kind <> 'direct'
    JOIN conversation_logs l ON l.channel_id = ch.id
    LEFT JOIN read_states r ON r.channel_id = ch.id AND r.user_id = me.id
    ORDER BY lower(ch.name) LIMIT ${limit}`);
  return rows.map((row) => ({ ...toChannel(row), ...toReading(row) }));
}

export interface NewChannel {
  readonly name: string;
  readonly kind: 'public' | 'private';
  readonly topic: string;
  readonly purpose?: string;
}

/** A private channel may not have the name of the one that everybody joins. */
export const GENERAL_STAYS_PUBLIC: Problem = { code: 'conflict', detail: 'whoever is new joins #general, so it is public: a private channel needs another name' };

/** An archived channel takes nobody in. */
export const GENERAL_STAYS_OPEN: Problem = { code: 'conflict', detail: 'whoever is new joins #general, so it is not archived: give it another name first' };

/** Makes a channel and its empty log; the caller becomes its owner, of which `eventId` tells. `conflict` where the name is taken, whatever its case, or is not for a channel of this kind. */
export async function createChannel(
  tx: Transaction,
  { credential_id, user_id: userId }: { credential_id: string; user_id: string },
  { name, kind, topic, purpose = '' }: NewChannel,
  { eventId, now, traceparent }: Pick<MemberChange, 'eventId' | 'now' | 'traceparent'>,
): Promise<Outcome<Channel>> {
  const [me] = await tx.execute<{ role: string }>(callerRow(credential_id));
  if (!me) return { problem: { code: 'unauthenticated' } };
  if (me.role === 'guest') return { problem: { code: 'forbidden', detail: 'guests make no channels' } };
  if (isClosedGeneral({ name, kind })) return { problem: GENERAL_STAYS_PUBLIC };
  const [id, channel] = [uuidv7(), { name, kind, topic, purpose }];
  const made = await tx.insert(channels).values({ id, ...channel, created_by: userId, created_at: now }).onConflictDoNothing().returning({ id: channels.id });
  if (made.length === 0) return { problem: { code: 'conflict', detail: 'a channel of this name exists' } };
  await tx.insert(conversationLogs).values({ channel_id: id });
  const at = now.toISOString();
  await appendDirectoryEvent(tx, { type: 'channel.created', id: uuidv7(), at, actor_id: userId, channel: { id, ...channel }, version: 1 }, traceparent);
  await insertMember(tx, { channelId: id, userId, role: 'owner', actorId: userId, eventId, now, traceparent });
  return { ok: { id, ...channel, created_at: at, archived_at: null, version: 1, my_role: 'owner' } };
}

/** The public channel that everybody joins at first sign-in, if there is one. */
export async function findGeneralChannel(db: Queryable): Promise<string | null> {
  const [row] = await db.execute<{ id: string }>(sql`
    SELECT id FROM channels WHERE lower(name) = 'general' AND kind = 'public' AND archived_at IS NULL`);
  return row?.id ?? null;
}
