import type { NoticedMessage, NoticeTarget } from '../../db/queries/notices.ts';
import type { CountedBadge } from '../../db/queries/badges.ts';
import type { DirectoryEvent } from '../../protocol/directory-events.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import type { UserTelling } from '../../protocol/tellings.ts';
import type { Consumed } from '../runtime/group.ts';

type Created = Extract<ChannelEvent, { type: 'message.created' }>;
type MemberEvent = Extract<DirectoryEvent, { type: 'channel.member_added' | 'channel.member_removed' }>;
export type NotifierEvent = Extract<ChannelEvent, { type: 'message.created' | 'message.edited' | 'message.deleted' }> | MemberEvent | Extract<InboxEvent, { type: 'read.moved' }>;

/** What a batch of events asks for. */
export interface NotifierWork {
  /** What may concern somebody: imported messages concern nobody, and old ones are no news. */
  readonly created: readonly { readonly channelId: string; readonly event: Created }[];
  readonly changes: readonly MemberEvent[];
  /** Channels that everybody's badge of may have changed. */
  readonly channels: readonly string[];
  /** Single badges to be counted, as [user, channel]. */
  readonly pairs: readonly (readonly [string, string])[];
}

/** A channel, or a badge, is counted once a batch, however many events touch it. `since`: who wrote before notifies nobody; epoch milliseconds. */
export function sortOut(events: readonly Consumed<NotifierEvent>[], since: number): NotifierWork {
  const work = { created: [] as { channelId: string; event: Created }[], changes: [] as MemberEvent[], channels: new Set<string>(), pairs: [] as [string, string][] };
  for (const { key, event } of events) {
    switch (event.type) {
      case 'message.created':
        if (event.origin === null && Date.parse(event.at) >= since) work.created.push({ channelId: key, event });
        work.channels.add(key);
        break;
      case 'message.edited':
      case 'message.deleted':
        work.channels.add(key);
        break;
      case 'read.moved':
        work.pairs.push([key, event.channel_id]);
        break;
      default:
        work.changes.push(event);
        work.pairs.push([event.user_id, event.channel_id]);
    }
  }
  return { ...work, channels: [...work.channels] };
}

export const noticedMessages = ({ created }: NotifierWork): NoticedMessage[] =>
  created.map(({ channelId, event }, n) => ({ n, channel_id: channelId, author_id: event.actor_id, thread_id: event.thread_id, text: event.text }));

/** By inbox, in the order of their effect. */
export function gather(work: NotifierWork, targets: readonly NoticeTarget[], badges: readonly CountedBadge[]): UserTelling[] {
  const tellings = new Map<string, UserTelling>();
  const of = (userId: string): UserTelling => {
    const telling = tellings.get(userId) ?? { user_id: userId, changes: [], notices: [], badges: [] };
    tellings.set(userId, telling);
    return telling;
  };
  for (const change of work.changes) {
    const { id: event_id, channel_id, actor_id, version } = change;
    of(change.user_id).changes.push({ event_id, channel_id, actor_id, version, role: change.type === 'channel.member_added' ? change.role : null });
  }
  for (const { n, user_id, ...target } of targets) {
    const sent = work.created[n];
    if (sent !== undefined) of(user_id).notices.push({ ...target, ...placeOf(sent.channelId, sent.event) });
  }
  for (const { user_id, ...badge } of badges) of(user_id).badges.push(badge);
  return [...tellings.values()];
}

const placeOf = (channel_id: string, { id: event_id, message_id, actor_id: author_id, seq: channel_seq, pos, thread_id }: Created) => ({
  event_id, channel_id, message_id, author_id, channel_seq, pos, thread_id,
});
