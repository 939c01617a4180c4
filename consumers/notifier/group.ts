import type postgres from 'postgres';
import { z } from 'zod';
import { countAwakeBadges, countBadgesOf, countBadgesOfUsers, letInboxesSleep } from '../../db/queries/badges.ts';
import { groupStart } from '../../db/queries/consumer-offsets.ts';
import { findNoticeCandidates, findSentMessages, type NoticeCandidate, type NoticedMessage, type NoticedPhrase } from '../../db/queries/notices.ts';
import { noteDigests } from '../../db/queries/email-sending.ts';
import { notePushes } from '../../db/queries/push-sending.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { channelEventSchema } from '../../protocol/events.ts';
import { inboxEventSchema } from '../../protocol/inbox-events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { Consumed, ConsumerGroup } from '../runtime/group.ts';
import { editedIds, gather, newsOf, noticedMessages, phrasesOf, type NotifierEvent, sortOut } from './batch.ts';
import type { Inboxes } from './inboxes.ts';

const ID = 'notifier';
/** What was written so long before the group's first batch is still news: it may have waited for the group. Milliseconds. */
const NEWS_MS = 3_600_000;
const TYPES = ['message.created', 'message.edited', 'message.deleted', 'channel.member_added', 'channel.member_removed', 'notification_level.updated', 'read.moved', 'message.notified'] as const;

const isWanted = (event: { readonly type: string }): event is NotifierEvent => TYPES.some((type) => type === event.type);
const schema = z.union([channelEventSchema, directoryEventSchema, inboxEventSchema]).transform((event, context): NotifierEvent => {
  if (isWanted(event)) return event;
  context.addIssue('is of a type this group does not read');
  return z.NEVER;
});

/**
 * Tells inboxes what concerns their users: notices of direct messages, mentions and replies, member changes once more, and badges, counted after the
 * events that changed them are in Postgres (`docs/decisions/0012-the-inbox-and-its-badges.md`). What an inbox has logged of that it notes for the senders of pushes and digests. On a database that is older than the group it counts the
 * whole past, but notifies of none of it.
 */
export const notifier = (inboxes: Inboxes): ConsumerGroup<NotifierEvent> => ({
  id: ID,
  topics: ['message.events', 'channel.events', 'user.events'],
  types: new Set(TYPES.map((type) => ceType(type))),
  schema,
  apply: (tx, events) => notify(tx, inboxes, events),
});

/** Phrases that are looked up in one statement; a message has 8,000 at most. */
const PHRASES_AT_ONCE = 20_000;

async function notify(tx: postgres.TransactionSql, inboxes: Inboxes, events: readonly Consumed<NotifierEvent>[]): Promise<void> {
  const since = (await groupStart(tx, ID)) - NEWS_MS;
  const work = sortOut(events, since);
  const news = newsOf(work, await findSentMessages(tx, editedIds(work)), since);
  const candidates = await findAll(tx, noticedMessages(news));
  const badges = [...(await countAwakeBadges(tx, work.channels)), ...(await countBadgesOfUsers(tx, work.users)), ...(await countBadgesOf(tx, work.pairs))];
  await letInboxesSleep(tx, await inboxes.tell(gather(work, news, candidates, badges)));
  // The last thing: until the commit nobody sends to whom it locks.
  await notePushes(tx, work.noted.filter(({ quiet }) => !quiet));
  await noteDigests(tx, [...new Set(work.noted.map(({ user_id }) => user_id))]);
}

async function findAll(tx: postgres.TransactionSql, messages: readonly NoticedMessage[]): Promise<NoticeCandidate[]> {
  const found: NoticeCandidate[] = [];
  let [some, phrases]: [NoticedMessage[], NoticedPhrase[]] = [[], []];
  for (const message of messages) {
    some.push(message);
    for (const phrase of phrasesOf(message)) phrases.push(phrase);
    if (phrases.length < PHRASES_AT_ONCE && message !== messages.at(-1)) continue;
    for (const candidate of await findNoticeCandidates(tx, some, phrases)) found.push(candidate);
    [some, phrases] = [[], []];
  }
  return found;
}
