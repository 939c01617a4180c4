import { z } from 'zod';
import { fileStatusSchema, thumbnailSchema } from './files.ts';
import { linkPreviewsSchema } from './previews.ts';
import { clientMsgIdSchema, counterSchema, emojiSchema, fileIdsSchema, idSchema, storableString, textSchema, timeSchema } from './primitives.ts';

/**
 * The events of a channel's log. `seq` counts every event of a channel without gaps, from 1. The same JSON goes to sockets, to
 * `event_log.data` and to the topic `message.events`.
 */
const base = {
  seq: counterSchema,
  /** Event id (UUIDv7). An announcement keeps the id of the directory event it repeats, which makes it idempotent. */
  id: idSchema,
  at: timeSchema,
  actor_id: idSchema,
};

/** Where an imported message comes from; only a token of the scope `messages:import` may set it. */
export const originSchema = z.strictObject({ source: storableString(64), author: storableString(80), sent_at: z.string().max(40) });
export type Origin = z.infer<typeof originSchema>;

const messageCreated = z.strictObject({
  ...base,
  type: z.literal('message.created'),
  message_id: idSchema,
  client_msg_id: clientMsgIdSchema,
  text: textSchema,
  /** Order of top-level messages, from 1; null for a thread reply. */
  pos: counterSchema.nullable(),
  /** The root message's id, and the order within its thread from 1; both null for a top-level message. */
  thread_id: idSchema.nullable(),
  tpos: counterSchema.nullable(),
  origin: originSchema.nullable(),
  /** Absent where there are none. A claim of the author's: only what is their own, in this channel, is a file of this message. */
  file_ids: fileIdsSchema.optional(),
});
const messageEdited = z.strictObject({
  ...base,
  type: z.literal('message.edited'),
  message_id: idSchema,
  text: textSchema,
  /** 1 is the message as sent. */
  revision: z.int().min(2),
});
const messageDeleted = z.strictObject({
  ...base,
  type: z.literal('message.deleted'),
  message_id: idSchema,
  /** The root of the deleted reply, whose `reply_count` falls by one; null for a top-level message. */
  thread_id: idSchema.nullable(),
  /** The actor moderates the workspace, and removed it. Absent otherwise. */
  by_moderator: z.literal(true).optional(),
});
const reactionAdded = z.strictObject({ ...base, type: z.literal('reaction.added'), message_id: idSchema, emoji: emojiSchema });
const reactionRemoved = z.strictObject({ ...base, type: z.literal('reaction.removed'), message_id: idSchema, emoji: emojiSchema });
/** The message is pinned to the channel, by the actor. Deleting it takes the pin away as well, without an event of its own. */
const messagePinned = z.strictObject({ ...base, type: z.literal('message.pinned'), message_id: idSchema });
const messageUnpinned = z.strictObject({ ...base, type: z.literal('message.unpinned'), message_id: idSchema });
/**
 * What was found at the links of a message, as of `revision` of it: all of it, in place of what was told before. An edit takes it away, without an event of its own, and so does
 * the deletion of the message. The actor is the message's author.
 */
const messagePreviewed = z.strictObject({ ...base, type: z.literal('message.previewed'), message_id: idSchema, revision: z.int().min(1), previews: linkPreviewsSchema });
/** The message has no previews any more, and will have none. */
const messagePreviewsRemoved = z.strictObject({ ...base, type: z.literal('message.previews_removed'), message_id: idSchema });
export const memberRoleSchema = z.enum(['owner', 'admin', 'member']);
export type MemberRole = z.infer<typeof memberRoleSchema>;
/** Someone has become a member, or a member has another role: `role` is theirs from here on. */
const memberAdded = z.strictObject({ ...base, type: z.literal('member.added'), user_id: idSchema, role: memberRoleSchema });
const memberRemoved = z.strictObject({ ...base, type: z.literal('member.removed'), user_id: idSchema });

/** A file of the channel was scanned, has thumbnails now, or was deleted. Announces the file event of the same id. */
const fileChanged = z.strictObject({
  ...base,
  type: z.literal('file.changed'),
  file_id: idSchema,
  status: z.enum([...fileStatusSchema.options, 'deleted']),
  thumbnails: z.array(thumbnailSchema).max(8),
});

/** Of a channel that has a name: who may know of it, and join. */
export const channelKindSchema = z.enum(['public', 'private']);
export type NamedChannelKind = z.infer<typeof channelKindSchema>;

/**
 * The channel has another name, topic or purpose, was archived, is open again, or was made private or public: this is all of it at `version`. Announces the directory's
 * `channel.updated` of the same id.
 */
export const channelDetailsSchema = z.strictObject({
  name: z.string(),
  topic: z.string(),
  purpose: z.string(),
  archived_at: timeSchema.nullable(),
  version: z.int(),
  /** Absent where an earlier release wrote it: then it is what it was. */
  kind: channelKindSchema.optional(),
});
export type ChannelDetails = z.infer<typeof channelDetailsSchema>;
const channelChanged = z.strictObject({ ...base, type: z.literal('channel.changed'), ...channelDetailsSchema.shape });

export const channelEventSchema = z.discriminatedUnion('type', [
  messageCreated,
  messageEdited,
  messageDeleted,
  reactionAdded,
  reactionRemoved,
  messagePinned,
  messageUnpinned,
  messagePreviewed,
  messagePreviewsRemoved,
  memberAdded,
  memberRemoved,
  fileChanged,
  channelChanged,
]);
export type ChannelEvent = z.infer<typeof channelEventSchema>;
export type ChannelEventType = ChannelEvent['type'];
