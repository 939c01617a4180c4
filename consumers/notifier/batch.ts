import type { CountedBadge } from '../../db/queries/badges.ts';
import type { NotedNotice } from '../../db/queries/push-sending.ts';
import type { NoticeCandidate, NoticedMessage, NoticedPhrase, SentMessage } from '../../db/queries/notices.ts';
import type { DirectoryEvent } from '../../protocol/directory-events.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { phrasesIn } from '../../protocol/keywords.ts';
import type { UserTelling } from '../../protocol/tellings.ts';
import type { Consumed } from '../runtime/group.ts';
import { isQuiet, reasonFor } from './rules.ts';

type Of<E extends { readonly type: string }, T extends E['type']> = Extract<E, { type: T }>;
type Created = Of<ChannelEvent, 'message.created'>;
type Edited = Of<ChannelEvent, 'message.edited'>;
type MemberEvent = Of<DirectoryEvent, 'channel.member_added' | 'channel.member_removed'>;
export type NotifierEvent = Created | Edited | Of<ChannelEvent, 'message.deleted'> | MemberEvent | Of<DirectoryEvent, 'notification_level.updated'> | Of<InboxEvent, 'read.moved' | 'message.notified'>;

/** What may be news to somebody: a message, as an event has made it. `seq`, `pos` and `thread_id` are those with which it was sent. */
interface News extends Omit<SentMessage, 'created_at'> {
  readonly event: Created | Edited;
  readonly channel_id: string;
}

/** What a batch of events asks for. */
export interface NotifierWork {
  /** Events that may be news, in their order. */
  readonly told: readonly { readonly channelId: string; readonly event: Created | Edited }[];
  readonly changes: readonly MemberEvent[];
  /** Notices that inboxes have logged: nobody was looking. Their users are to be told outside of Colink, too; in quiet hours by what wakes nobody. */
  readonly noted: readonly (NotedNotice & { readonly quiet: boolean })[];
  /** Channels that everybody's badge of may have changed. */
  readonly channels: readonly string[];
  /** Users all of whose badges may have, and single badges, as [user, channel]. */
  readonly users: readonly string[];
  readonly pairs: readonly (readonly [string, string])[];
}

/** A channel, or a badge, is counted once a batch, however many events touch it. `since`: who wrote before notifies nobody; epoch milliseconds. Nor does what was imported. */
export function sortOut(events: readonly Consumed<NotifierEvent>[], since: number): NotifierWork {
  const work = { told: [] as { channelId: string; event: Created | Edited }[], changes: [] as MemberEvent[], noted: [] as (NotedNotice & { quiet: boolean })[], pairs: [] as [string, string][] };
  const [channels, users] = [new Set<string>(), new Set<string>()];
  const isNews = (event: Created | Edited): boolean => Date.parse(event.at) >= since && (event.type === 'message.edited' || event.origin === null);
  for (const { key, event } of events) {
    switch (event.type) {
      case 'message.created':
      case 'message.edited':
        if (isNews(event)) work.told.push({ channelId: key, event });
        channels.add(key);
        break;
      case 'message.deleted':
        channels.add(key);
        break;
      case 'message.notified':
        work.noted.push({ id: event.id, user_id: key, seq: event.seq, at: event.at, quiet: event.quiet === true });
        // Badges count these by their notices, which are stored by now.
        if (event.pos !== null && (event.reason === 'keyword' || event.reason === 'channel_mention')) work.pairs.push([key, event.channel_id]);
        break;
      case 'read.moved':
        work.pairs.push([key, event.channel_id]);
        break;
      case 'notification_level.updated':
        if (event.channel_id === null) users.add(event.user_id);
        else work.pairs.push([event.user_id, event.channel_id]);
        break;
      default:
        work.changes.push(event);
        work.pairs.push([event.user_id, event.channel_id]);
    }
  }
  return { ...work, channels: [...channels], users: [...users] };
}

export const editedIds = ({ told }: NotifierWork): string[] => told.flatMap(({ event }) => (event.type === 'message.edited' ? [event.message_id] : []));

/** `edited`: the messages of `editedIds`, as they were sent. The edit of one that was written before `since` is no news, nor is that of one that is gone. */
export function newsOf({ told }: NotifierWork, edited: readonly SentMessage[], since: number): News[] {
  const sent = new Map(edited.filter(({ created_at }) => created_at >= since).map((message) => [message.message_id, message]));
  return told.flatMap(({ channelId: channel_id, event }): News[] => {
    const message = event.type === 'message.created' ? event : sent.get(event.message_id);
    if (message === undefined) return [];
    const { message_id, seq, pos, thread_id } = message;
    return [{ event, channel_id, message_id, seq, pos, thread_id }];
  });
}

export const noticedMessages = (news: readonly News[]): NoticedMessage[] =>
  news.map(({ event, channel_id, thread_id }, n) => ({
    n, channel_id, author_id: event.actor_id, thread_id, tpos: event.type === 'message.created' ? event.tpos : null, text: event.text, at: Date.parse(event.at), is_edit: event.type === 'message.edited',
  }));

/** Edits are not looked through for keywords. */
export const phrasesOf = ({ n, text, is_edit }: NoticedMessage): NoticedPhrase[] => (is_edit ? [] : [...phrasesIn(text)].map((phrase) => ({ n, phrase })));

/** By inbox, in the order of their effect. */
export function gather({ changes }: NotifierWork, news: readonly News[], candidates: readonly NoticeCandidate[], badges: readonly CountedBadge[]): UserTelling[] {
  const tellings = new Map<string, UserTelling>();
  const of = (userId: string): UserTelling => {
    const telling = tellings.get(userId) ?? { user_id: userId, changes: [], notices: [], badges: [] };
    tellings.set(userId, telling);
    return telling;
  };
  for (const change of changes) {
    const { id: event_id, channel_id, actor_id, version } = change;
    of(change.user_id).changes.push({ event_id, channel_id, actor_id, version, role: change.type === 'channel.member_added' ? change.role : null });
  }
  for (const candidate of candidates) {
    const [reason, { user_id, role, version }, message] = [reasonFor(candidate), candidate, news[candidate.n]];
    if (reason === null || message === undefined) continue;
    const at = Date.parse(message.event.at);
    of(user_id).notices.push({ role, version, reason, ...placeOf(message), ...(isQuiet(candidate, at) && { quiet: true as const }) });
  }
  for (const { user_id, ...badge } of badges) of(user_id).badges.push(badge);
  return [...tellings.values()];
}

const placeOf = ({ event, channel_id, message_id, seq: channel_seq, pos, thread_id }: News) => ({
  event_id: event.id, channel_id, message_id, author_id: event.actor_id, channel_seq, pos, thread_id,
});
