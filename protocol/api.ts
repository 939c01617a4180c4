import { z } from 'zod';
import { channelKindSchema, memberRoleSchema, originSchema } from './events.ts';
import { fileSchema } from './files.ts';
import { channelNameSchema, counterSchema, emojiSchema, fileIdsSchema, idSchema, momentSchema, purposeSchema, timeSchema, topicSchema } from './primitives.ts';
import { commandResultSchema, sendCommand } from './frames.ts';
import { MAX_BATCH, MAX_DIRECT_USERS, MAX_PREVIEWS, MAX_PRONOUNS, MAX_TITLE } from './limits.ts';
import { displayNameSchema, handleSchema, lineSchema } from './names.ts';
import { notificationSchema, timeZoneSchema } from './notifications.ts';
import { customStatusSchema, presenceChoiceSchema } from './presence.ts';
import { linkPreviewSchema } from './previews.ts';

/** Resources and bodies of the HTTP API (`/v1`). Lists are `{data, next_cursor}`; unknown body fields are 422. */

/** A user as events and credentials name them: what says who they are, and nothing of how they look. */
export const namedUserSchema = z.strictObject({ id: idSchema, handle: z.string(), display_name: z.string(), role: z.enum(['admin', 'moderator', 'member', 'guest']) });
export type NamedUser = z.infer<typeof namedUserSchema>;

/** `url` is of this very picture: another one has another. With `&size=480` it is a larger one. */
export const avatarSchema = z.strictObject({ file_id: idSchema, url: z.string() }).meta({ id: 'Avatar' });
export type Avatar = z.infer<typeof avatarSchema>;
/** Of the longer side, in pixels. */
export const AVATAR_SIZES = ['160', '480'] as const;

/** `avatar` is null where they have chosen none. */
export const userSchema = namedUserSchema.extend({ avatar: avatarSchema.nullable() }).meta({ id: 'User' });
export type User = z.infer<typeof userSchema>;

/** A user as their own page shows them. `version` is the `ETag`. */
export const profileSchema = userSchema
  .extend({
    title: z.string(),
    pronouns: z.string(),
    /** An IANA time zone; null: they do not say. */
    time_zone: z.string().nullable(),
    is_bot: z.boolean(),
    deactivated: z.boolean(),
    version: z.int(),
  })
  .meta({ id: 'Profile' });
export type Profile = z.infer<typeof profileSchema>;
export const userPageSchema = z.strictObject({ data: z.array(profileSchema), next_cursor: z.string().nullable() }).meta({ id: 'UserPage' });

/** What is absent stays. An empty `title` or `pronouns`: none. */
export const profileBodySchema = z.strictObject({
  handle: handleSchema.optional(),
  display_name: displayNameSchema.optional(),
  title: lineSchema(MAX_TITLE).optional(),
  pronouns: lineSchema(MAX_PRONOUNS).optional(),
  time_zone: timeZoneSchema.nullable().optional(),
});
export type ProfileBody = z.infer<typeof profileBodySchema>;

/** A file that the caller has uploaded. */
export const avatarBodySchema = z.strictObject({ file_id: idSchema });

export const channelSchema = z
  .strictObject({
    id: idSchema,
    kind: channelKindSchema,
    name: z.string(),
    topic: z.string(),
    purpose: z.string(),
    created_at: timeSchema,
    archived_at: timeSchema.nullable(),
    version: z.int(),
    /** The caller's role, or null where the caller is not a member. */
    my_role: memberRoleSchema.nullable(),
  })
  .meta({ id: 'Channel' });
export type Channel = z.infer<typeof channelSchema>;

/**
 * A conversation of these users and nobody else, who never change: there is one of each set. It has no name and no topic, and is never archived. `user_ids` in
 * rising order, the caller's own among them; of one user: notes to oneself.
 */
export const directChannelSchema = z
  .strictObject({ id: idSchema, kind: z.literal('direct'), user_ids: z.array(idSchema).min(1).max(MAX_DIRECT_USERS), created_at: timeSchema })
  .meta({ id: 'DirectChannel' });
export type DirectChannel = z.infer<typeof directChannelSchema>;
export const anyChannelSchema = z.union([channelSchema, directChannelSchema]);

export const channelPageSchema = z.strictObject({ data: z.array(channelSchema), next_cursor: z.string().nullable() }).meta({ id: 'ChannelPage' });

/** Those that are open, the newest first; `users`: their members, once each. */
export const directChannelPageSchema = z
  .strictObject({ data: z.array(directChannelSchema), next_cursor: z.string().nullable(), users: z.array(userSchema) })
  .meta({ id: 'DirectChannelPage' });

export const memberSchema = z.strictObject({ user: userSchema, role: memberRoleSchema, joined_at: timeSchema }).meta({ id: 'Member' });
export type Member = z.infer<typeof memberSchema>;
export const memberPageSchema = z.strictObject({ data: z.array(memberSchema), next_cursor: z.string().nullable() }).meta({ id: 'MemberPage' });

export const filePageSchema = z.strictObject({ data: z.array(fileSchema), next_cursor: z.string().nullable() }).meta({ id: 'FilePage' });

const readingShape = { epoch: z.int(), as_of_seq: counterSchema, last_pos: counterSchema, read_pos: counterSchema, read_generation: counterSchema.optional() };
/** A channel of the caller with its read state. `last_pos` and `as_of_seq` are of one snapshot; unread = last_pos − read_pos, never below 0. */
export const myChannelSchema = channelSchema
  .extend(readingShape)
  .meta({ id: 'MyChannel' });
export type MyChannel = z.infer<typeof myChannelSchema>;
export const myDirectChannelSchema = directChannelSchema.extend(readingShape).meta({ id: 'MyDirectChannel' });
export type MyDirectChannel = z.infer<typeof myDirectChannelSchema>;

export const reactionSummarySchema = z.strictObject({ emoji: emojiSchema, user_ids: z.array(idSchema) });

export const messageSchema = z
  .strictObject({
    id: idSchema,
    channel_id: idSchema,
    seq: counterSchema,
    pos: counterSchema.nullable(),
    thread_id: idSchema.nullable(),
    tpos: counterSchema.nullable(),
    author_id: idSchema,
    client_msg_id: z.string(),
    /** Empty once deleted. */
    text: z.string(),
    origin: originSchema.nullable(),
    revision: z.int(),
    created_at: timeSchema,
    edited_at: timeSchema.nullable(),
    deleted_at: timeSchema.nullable(),
    /** Absent otherwise: somebody who moderates has removed it. */
    removed_by_moderator: z.literal(true).optional(),
    reply_count: z.int(),
    reactions: z.array(reactionSummarySchema),
    /** Absent where it is not pinned to the channel. */
    pinned: z.strictObject({ at: timeSchema, by: idSchema }).optional(),
    /** Absent where there are none: the files it was sent with, and what is known of them now, but of those that were deleted. */
    file_ids: fileIdsSchema.optional(),
    files: z.array(fileSchema).optional(),
    /** What was found at its links; absent where nothing was. */
    previews: z.array(linkPreviewSchema.meta({ id: 'LinkPreview' })).min(1).max(MAX_PREVIEWS).optional(),
  })
  .meta({ id: 'Message' });
export type Message = z.infer<typeof messageSchema>;

/** A page of history in rising `pos` (or `tpos`) order. Events after `as_of_seq` of `epoch` bring it up to date. */
export const messagePageSchema = z
  .strictObject({
    data: z.array(messageSchema),
    epoch: z.int(),
    as_of_seq: counterSchema,
    /** Cursors for `before=` (older) and `after=` (newer); null at the end. */
    before_cursor: z.string().nullable(),
    after_cursor: z.string().nullable(),
    /** The authors of `data`, once each. */
    users: z.array(userSchema),
  })
  .meta({ id: 'MessagePage' });
export type MessagePage = z.infer<typeof messagePageSchema>;

/** The pinned messages of a channel, those that were pinned last first, with their authors. Events after `as_of_seq` of `epoch` bring it up to date. */
export const pinPageSchema = z
  .strictObject({ data: z.array(messageSchema), epoch: z.int(), as_of_seq: counterSchema, next_cursor: z.string().nullable(), users: z.array(userSchema) })
  .meta({ id: 'PinPage' });
export type PinPage = z.infer<typeof pinPageSchema>;

/** `version`: of the caller's list of saved messages. */
export const savedStateSchema = z.strictObject({ message_id: idSchema, saved: z.boolean(), version: counterSchema }).meta({ id: 'SavedState' });
export type SavedState = z.infer<typeof savedStateSchema>;
const savedMessageSchema = z.strictObject({ saved_at: timeSchema, message: messageSchema }).meta({ id: 'SavedMessage' });
export type SavedMessage = z.infer<typeof savedMessageSchema>;
/** What the caller has saved, the newest first, with the authors. It is as of `version` of the list, which rises by 1 with each change. */
export const savedPageSchema = z
  .strictObject({ data: z.array(savedMessageSchema), version: counterSchema, next_cursor: z.string().nullable(), users: z.array(userSchema) })
  .meta({ id: 'SavedPage' });
export type SavedPage = z.infer<typeof savedPageSchema>;

/** What a message said from `written_at` on. 1 is the message as sent. */
export const revisionSchema = z.strictObject({ revision: z.int().min(1), text: z.string(), written_at: timeSchema }).meta({ id: 'Revision' });
export type Revision = z.infer<typeof revisionSchema>;
export const revisionPageSchema = z.strictObject({ data: z.array(revisionSchema), next_cursor: z.string().nullable() }).meta({ id: 'RevisionPage' });
export type RevisionPage = z.infer<typeof revisionPageSchema>;

/** Where a message is. A reply has no `pos` of its own: `history_pos` is that of its thread's root. `path` is where the page shows it. */
export const messagePlaceSchema = z
  .strictObject({
    message_id: idSchema,
    channel_id: idSchema,
    pos: counterSchema.nullable(),
    thread_id: idSchema.nullable(),
    tpos: counterSchema.nullable(),
    history_pos: counterSchema,
    path: z.string(),
  })
  .meta({ id: 'MessagePlace' });
export type MessagePlace = z.infer<typeof messagePlaceSchema>;

/** `inbox`: where the caller's inbox stood before the rest was read. Its events after that bring all of this up to date; some of them it may have already. */
export const bootstrapSchema = z
  .strictObject({
    me: userSchema,
    channels: z.array(myChannelSchema),
    direct_channels: z.array(myDirectChannelSchema),
    users: z.array(userSchema),
    inbox: z.strictObject({ epoch: z.int().min(1), as_of_seq: counterSchema }),
  })
  .meta({ id: 'Bootstrap' });
export type Bootstrap = z.infer<typeof bootstrapSchema>;

/** What the caller chose to be seen as. `version` rises with each choice, 0 before the first; it is the `ETag`. */
export const myPresenceSchema = z
  .strictObject({ choice: presenceChoiceSchema, status: customStatusSchema.nullable(), version: z.int().min(0) })
  .meta({ id: 'MyPresence' });
export type MyPresence = z.infer<typeof myPresenceSchema>;
export const presenceBodySchema = z.strictObject({ choice: presenceChoiceSchema, status: customStatusSchema.extend({ expires_at: momentSchema.nullable() }).meta({ id: 'NewCustomStatus' }).nullable() });
export type PresenceBody = z.infer<typeof presenceBodySchema>;

export const sendBodySchema = sendCommand.omit({ type: true, origin: true }).extend({ client_msg_id: sendCommand.shape.client_msg_id.optional() });
export const batchBodySchema = z.strictObject({ messages: z.array(sendCommand.omit({ type: true, file_ids: true })).min(1).max(MAX_BATCH) });
export const editBodySchema = z.strictObject({ text: sendCommand.shape.text });
export const createChannelBodySchema = z.strictObject({
  name: channelNameSchema,
  kind: channelKindSchema.default('public'),
  topic: topicSchema.default(''),
  purpose: purposeSchema.default(''),
});
/** With whom; whoever asks is one of them, named or not. Nobody else: notes to oneself. */
export const directChannelBodySchema = z.strictObject({ user_ids: z.array(idSchema).max(MAX_DIRECT_USERS) });
/** What is absent stays. */
export const channelBodySchema = z.strictObject({
  name: channelNameSchema.optional(),
  topic: topicSchema.optional(),
  purpose: purposeSchema.optional(),
  kind: channelKindSchema.optional().meta({
    description:
      '`private`: from now on its members alone know of it and read it, and who is no member is told 404. `public`: everybody but guests may join it, and reads **all that was said in it before**, in confidence too',
  }),
});
export type ChannelBody = z.infer<typeof channelBodySchema>;
export const addMemberBodySchema = z.strictObject({ user_id: idSchema, role: memberRoleSchema.exclude(['owner']).default('member') });
export const memberRoleBodySchema = z.strictObject({ role: memberRoleSchema });
/** Clients leave at a random moment within this time, and come back. */
/** `cursor`: the `next_cursor` of the answer before. */
export const restartAnnouncementBodySchema = z.strictObject({ within_seconds: z.int().min(1).max(120), cursor: z.string().min(1).max(100).optional() });
/** `sockets` that were asked, on so many channels and inboxes, at most 200; `unreached`: those that could not be told. `next_cursor` null: those were the last. */
export const restartAnnouncementSchema = z
  .strictObject({ objects: z.int(), sockets: z.int(), unreached: z.int(), next_cursor: z.string().nullable() })
  .meta({ id: 'RestartAnnouncement' });
export type RestartAnnouncement = z.infer<typeof restartAnnouncementSchema>;
/** `generation` rises each time something is marked as unread; absent: 0. */
export const readStateSchema = z.strictObject({ read_pos: counterSchema, generation: counterSchema.optional() });
/** From the message at `pos` on. `generation`: of the read marker as the caller knew it; where it is higher by now nothing changes. Absent: whatever it is. */
export const markUnreadBodySchema = z.strictObject({ pos: counterSchema.min(1), generation: counterSchema.optional() });

/** Results in the order of the batch. */
export const batchResultSchema = z.strictObject({ data: z.array(commandResultSchema) }).meta({ id: 'BatchResult' });

/** A ticket opens one socket; `expires_in` in seconds. */
export const socketTicketSchema = z.strictObject({ ticket: z.string(), expires_in: z.int() }).meta({ id: 'SocketTicket' });

/** `[start, end)` ranges of UTF-16 code units. */
const rangesSchema = z.array(z.tuple([z.int().min(0), z.int().min(0)]));
/** How far the index is behind what the caller could find in it: so many events, the oldest of which has waited so long. */
const indexLagSchema = z.strictObject({ events: z.int().min(0), seconds: z.int().min(0) });
/** What of the query was not understood, at `range` of it; the search went on without it, or took it for words. */
const queryHintSchema = z.strictObject({
  code: z.enum(['unknown_operator', 'no_value', 'bad_value', 'too_many_terms', 'of_messages_only']),
  detail: z.string(),
  range: z.tuple([z.int().min(0), z.int().min(0)]),
});

/** `highlights`: in `message.text`. */
export const searchHitSchema = z.strictObject({
  message: messageSchema.pick({ id: true, channel_id: true, pos: true, thread_id: true, tpos: true, author_id: true, text: true, origin: true, created_at: true }),
  highlights: rangesSchema,
});
/** A page may be short, or empty, and not the last: what takes long to look through is looked through a part at a time. `next_cursor` null: it is the last. */
export const searchPageSchema = z
  .strictObject({
    data: z.array(searchHitSchema),
    next_cursor: z.string().nullable(),
    users: z.array(userSchema),
    index_lag: indexLagSchema,
    hints: z.array(queryHintSchema),
  })
  .meta({ id: 'SearchPage' });
export type SearchPage = z.infer<typeof searchPageSchema>;

/** Notifications of the caller, the newest first, with the authors of their messages. `read_seq`: those up to there were marked as read. */
export const notificationPageSchema = z
  .strictObject({ data: z.array(notificationSchema), next_cursor: z.string().nullable(), read_seq: counterSchema, users: z.array(userSchema) })
  .meta({ id: 'NotificationPage' });
export type NotificationPage = z.infer<typeof notificationPageSchema>;
/** Up to which `seq`; null: all there are. */
export const readNotificationsBodySchema = z.strictObject({ read_seq: counterSchema.nullable() }).meta({ id: 'ReadNotifications', example: { read_seq: 17 } });

/** `highlights`: in `file.name`. */
export const fileSearchPageSchema = z
  .strictObject({
    data: z.array(z.strictObject({ file: fileSchema, highlights: rangesSchema })),
    next_cursor: z.string().nullable(),
    /** Who uploaded them. */
    users: z.array(userSchema),
    index_lag: indexLagSchema,
    hints: z.array(queryHintSchema),
  })
  .meta({ id: 'FileSearchPage' });

export const peopleSearchPageSchema = z
  .strictObject({
    data: z.array(z.strictObject({ user: userSchema, highlights: z.strictObject({ handle: rangesSchema, display_name: rangesSchema }) })),
    next_cursor: z.string().nullable(),
    index_lag: indexLagSchema,
  })
  .meta({ id: 'PeopleSearchPage' });
