import type { ChannelEventType } from './events.ts';
import type { FileEvent } from './file-events.ts';
import type { InboxEventType } from './inbox-events.ts';
import type { PresenceEvent } from './presence.ts';

/** Topics of the event log, their partition counts and retention in days. A topic's key keeps its order. */
export const TOPICS = {
  'message.events': { partitions: 12, retentionDays: 30 },
  'user.events': { partitions: 3, retentionDays: 30 },
  'channel.events': { partitions: 6, retentionDays: 30 },
  'presence.events': { partitions: 3, retentionDays: 1 },
  'file.events': { partitions: 3, retentionDays: 30 },
} as const;
export type Topic = keyof typeof TOPICS;

/** Every type of event that is logged. */
export type LoggedEventType = ChannelEventType | DirectoryEventType | PresenceEvent['type'] | InboxEventType | FileEvent['type'];

/** `ce_type` of an event: its name with the major version of its shape. A consumer refuses a major version it does not know. */
export const ceType = (type: LoggedEventType, major = 1): string => `colink.${type}.v${major}`;

/** Events of the directory, written to `event_log` by the transaction that changes it. */
export type DirectoryEventType =
  | 'user.created'
  | 'user.updated'
  | 'user.credential_revoked'
  | 'user.redaction_requested'
  | 'notification_level.updated'
  | 'channel.created'
  | 'channel.updated'
  | 'channel.message_removal_ordered'
  | 'channel.member_added'
  | 'channel.member_removed';

const TOPIC_OF_TYPE: Readonly<Record<LoggedEventType, Topic>> = {
  'message.created': 'message.events',
  'message.edited': 'message.events',
  'message.deleted': 'message.events',
  'reaction.added': 'message.events',
  'reaction.removed': 'message.events',
  'message.pinned': 'message.events',
  'message.unpinned': 'message.events',
  'message.previewed': 'message.events',
  'message.previews_removed': 'message.events',
  'member.added': 'message.events',
  'member.removed': 'message.events',
  'file.changed': 'message.events',
  'channel.changed': 'message.events',
  'user.created': 'user.events',
  'user.updated': 'user.events',
  'user.credential_revoked': 'user.events',
  'user.redaction_requested': 'user.events',
  'notification_level.updated': 'user.events',
  'channel.created': 'channel.events',
  'channel.updated': 'channel.events',
  'channel.message_removal_ordered': 'channel.events',
  'channel.member_added': 'channel.events',
  'channel.member_removed': 'channel.events',
  'presence.changed': 'presence.events',
  'read.moved': 'user.events',
  'channel.joined': 'user.events',
  'channel.left': 'user.events',
  'message.notified': 'user.events',
  'notices.read': 'user.events',
  'thread.read': 'user.events',
  'thread.followed': 'user.events',
  'draft.changed': 'user.events',
  'scheduled_message.failed': 'user.events',
  'presence.chosen': 'user.events',
  'saved.changed': 'user.events',
  'file.uploaded': 'file.events',
  'file.updated': 'file.events',
  'file.deleted': 'file.events',
};
const topicsByType: ReadonlyMap<string, Topic> = new Map(Object.entries(TOPIC_OF_TYPE));

/** The one topic on which events of a type are: their key means something only there. Undefined for a type that is not known (yet). */
export const topicOf = (type: string): Topic | undefined => topicsByType.get(type);

/** Binary-mode CloudEvents headers of every record, with Colink's own. */
export const HEADERS = {
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  time: 'ce_time',
  specversion: 'ce_specversion',
  idempotencyKey: 'idempotency_key',
  traceparent: 'traceparent',
  channelSeq: 'channel_seq',
  /** Position in `event_log`: rises per key, so a consumer tells a repeated record by it. */
  position: 'log_position',
} as const;

export const deadLetterTopic = (topic: Topic): string => `dlq.${topic}`;
