import { and, asc, eq } from 'drizzle-orm';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api, PageQuery } from '../../client/http.ts';
import type { Database } from '../../db/client.ts';
import { messagePreviews, pins } from '../../db/schema/message-tables.ts';
import { eventLog } from '../../db/schema/event-tables.ts';
import { conversationLogs, messages, reactions } from '../../db/schema/tables.ts';
import { searchMessages } from '../../db/schema/search-tables.ts';
import type { Message, MessagePage } from '../../protocol/api.ts';
import { channelEventSchema } from '../../protocol/events.ts';
import type { Listing, Observations } from './checker.ts';
import { foldIndex, type IndexRow, type LogRecord, type MessageState } from './fold.ts';

interface Tables {
  readonly db: Database;
  readonly channelId: string;
}

/** Where a channel may be looked at. */
export interface Sources extends Tables {
  readonly api: Api;
}

export type Stores = Pick<Observations, 'listings' | 'stored' | 'log' | 'index' | 'drained_seq'>;

/** Waits until Postgres holds all events up to `head` and the index all that Postgres holds, or `withinMs` are over; then looks. */
export async function observeStores(sources: Sources, head: number, withinMs: number): Promise<Stores> {
  for (const deadline = performance.now() + withinMs; performance.now() < deadline && !(await isSettled(sources, head)); ) await sleep(250);
  return {
    listings: await readListings(sources),
    stored: await readStored(sources),
    log: await readLog(sources),
    index: await readIndex(sources),
    drained_seq: await readDrainedSeq(sources),
  };
}

/** What the tables of Postgres hold of a channel, the order of its history included; for pipelines that have no API in front. */
export async function observeTables(sources: Tables): Promise<Stores> {
  const stored = await readStored(sources);
  const [log, index, drained_seq] = [await readLog(sources), await readIndex(sources), await readDrainedSeq(sources)];
  return { listings: listingsOf(stored), stored, log, index, drained_seq };
}

/** The channel and its threads, as the API would list these messages. */
function listingsOf(stored: readonly MessageState[]): Listing[] {
  const inOrder = (messages: readonly MessageState[], order: Listing['order']) => messages.toSorted((a, b) => (a[order] ?? 0) - (b[order] ?? 0));
  const threads = Map.groupBy(stored.filter(({ thread_id }) => thread_id !== null), ({ thread_id }) => thread_id);
  return [
    { name: 'channel', order: 'pos', messages: inOrder(stored.filter(({ pos }) => pos !== null), 'pos') },
    ...[...threads].map(([root, replies]): Listing => ({ name: `thread ${root}`, order: 'tpos', messages: inOrder(replies, 'tpos') })),
  ];
}

async function isSettled(sources: Sources, head: number): Promise<boolean> {
  if ((await readDrainedSeq(sources)) < head) return false;
  const expected = foldIndex((await readLog(sources)).map(({ event }) => event));
  const rows = await readIndex(sources);
  return rows.length === expected.size && rows.every((row) => expected.get(row.id)?.seq === row.seq);
}

export async function readDrainedSeq({ db, channelId }: Tables): Promise<number> {
  const [row] = await db.select({ drained_seq: conversationLogs.drained_seq }).from(conversationLogs).where(eq(conversationLogs.channel_id, channelId));
  return row?.drained_seq ?? 0;
}

export async function readLog({ db, channelId }: Tables): Promise<LogRecord[]> {
  const rows = await db
    .select({ position: eventLog.position, data: eventLog.data })
    .from(eventLog)
    .where(and(eq(eventLog.key, channelId), eq(eventLog.topic, 'message.events')))
    .orderBy(asc(eventLog.position));
  return rows.map(({ position, data }) => ({ position, event: channelEventSchema.parse(data) }));
}

async function readIndex({ db, channelId }: Tables): Promise<IndexRow[]> {
  const { id, author_id, seq, text } = searchMessages;
  return db.select({ id, author_id, seq, text }).from(searchMessages).where(eq(searchMessages.channel_id, channelId));
}

async function readStored({ db, channelId }: Tables): Promise<MessageState[]> {
  const { id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, revision, deleted_at } = messages;
  const columns = { id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, revision, deleted_at };
  const rows = await db.select(columns).from(messages).where(eq(messages.channel_id, channelId));
  const reacted = await db
    .select({ message_id: reactions.message_id, emoji: reactions.emoji, user_id: reactions.user_id })
    .from(reactions)
    .where(eq(reactions.channel_id, channelId));
  const pinRows = await db.select({ message_id: pins.message_id, pinned_by: pins.pinned_by }).from(pins).where(eq(pins.channel_id, channelId));
  const pinned = new Map(pinRows.map((pin) => [pin.message_id, pin.pinned_by]));
  const previewRows = await db.select({ message_id: messagePreviews.message_id, previews: messagePreviews.previews }).from(messagePreviews).where(eq(messagePreviews.channel_id, channelId));
  const previews = new Map(previewRows.map((row) => [row.message_id, row.previews.map(({ title }) => title)]));
  const byMessage = Map.groupBy(reacted, ({ message_id }) => message_id);
  return rows.map(({ deleted_at: deletedAt, ...row }) => {
    const mine = byMessage.get(row.id) ?? [];
    const given = mine.map(({ emoji, user_id }) => `${emoji} ${user_id}`).sort();
    return Object.assign(row, { deleted: deletedAt !== null, reactions: given, pinned: pinned.get(row.id) ?? null, previews: previews.get(row.id) ?? [] });
  });
}

/** The channel page by page from its end, then every thread. */
async function readListings({ api, channelId }: Sources): Promise<Listing[]> {
  const channel = await readPages((query) => api.history(channelId, query));
  const roots = channel.filter(({ reply_count }) => reply_count > 0);
  const threads = await Promise.all(
    roots.map(async ({ id }): Promise<Listing> => {
      const replies = await readPages((query) => api.replies(channelId, id, query));
      return { name: `thread ${id}`, order: 'tpos', messages: replies.map(stateOf) };
    }),
  );
  return [{ name: 'channel', order: 'pos', messages: channel.map(stateOf) }, ...threads];
}

async function readPages(read: (query: PageQuery) => Promise<MessagePage>): Promise<Message[]> {
  const all: Message[] = [];
  let page = await read({ limit: 100 });
  for (;;) {
    all.unshift(...page.data);
    if (page.before_cursor === null) return all;
    page = await read({ limit: 100, before: page.before_cursor });
  }
}

function stateOf(message: Message): MessageState {
  const { id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, revision, deleted_at } = message;
  const given = message.reactions.flatMap(({ emoji, user_ids }) => user_ids.map((user) => `${emoji} ${user}`));
  const previews = (message.previews ?? []).map(({ title }) => title);
  return { id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, revision, deleted: deleted_at !== null, reactions: given.sort(), pinned: message.pinned?.by ?? null, previews };
}
