import { z } from 'zod';
import { channelDetailsSchema, memberRoleSchema } from './events.ts';
import { fileStatusSchema, thumbnailSchema } from './files.ts';
import { linkPreviewsSchema } from './previews.ts';
import { counterSchema, idSchema } from './primitives.ts';

/**
 * What the consumer fleet repeats to rooms and inboxes, by `POST /internal/announcements`, because the call of the Worker that made the change may have
 * been lost. All of it may be told again, or come late, without harm.
 */

/** A change of a member list, as Postgres committed it. `role` null: no longer a member. `version` is `channels.members_version`. */
const memberChangeSchema = z.strictObject({
  event_id: idSchema,
  user_id: idSchema,
  actor_id: idSchema,
  role: memberRoleSchema.nullable(),
  version: counterSchema,
});

/** `expires_at` in epoch milliseconds. */
const revokedCredentialSchema = z.strictObject({ credential_id: idSchema, expires_at: counterSchema });

/**
 * Whether a channel is archived, as Postgres has it at `version` of the channel; and what it is called and about then, and of what kind it is, which is announced. An earlier
 * release tells without that.
 */
const channelStandingSchema = z.strictObject({
  archived: z.boolean(),
  version: counterSchema,
  change: channelDetailsSchema.omit({ version: true }).extend({ event_id: idSchema, actor_id: idSchema }).optional(),
});
export type ChannelStanding = z.infer<typeof channelStandingSchema>;

/** What a file of the channel is, at `version` of it. */
const fileNewsSchema = z.strictObject({
  event_id: idSchema,
  file_id: idSchema,
  actor_id: idSchema,
  status: z.enum([...fileStatusSchema.options, 'deleted']),
  thumbnails: z.array(thumbnailSchema).max(8),
  version: counterSchema,
});
export type FileNews = z.infer<typeof fileNewsSchema>;

/** A message that somebody who moderates, the actor, has ordered to be removed, as Postgres committed it. */
const removalSchema = z.strictObject({ message_id: idSchema, actor_id: idSchema });
export type Removal = z.infer<typeof removalSchema>;

/** What was found at the links of a message, as of that revision of it. */
const previewNewsSchema = z.strictObject({ message_id: idSchema, revision: z.int().min(1), previews: linkPreviewsSchema });
export type PreviewNews = z.infer<typeof previewNewsSchema>;

/**
 * What one room is told at once: changes of its members, in order; credentials that may have been in use there; whether it is archived, where that changed; changes of its
 * files, messages to be removed, and what was found at the links of messages, where there are any.
 */
const roomNewsSchema = z.strictObject({
  changes: z.array(memberChangeSchema),
  revoked: z.array(revokedCredentialSchema),
  channel: channelStandingSchema.nullable(),
  files: z.array(fileNewsSchema).optional(),
  removals: z.array(removalSchema).optional(),
  previews: z.array(previewNewsSchema).optional(),
});
export type RoomNews = z.infer<typeof roomNewsSchema>;

const toRoomSchema = roomNewsSchema.extend({ to: z.literal('room'), channel_id: idSchema });
const toInboxSchema = z.strictObject({ to: z.literal('inbox'), user_id: idSchema, credential_id: idSchema });
const announcementSchema = z.discriminatedUnion('to', [toRoomSchema, toInboxSchema]);
export type Announcement = z.infer<typeof announcementSchema>;
export type RoomAnnouncement = z.infer<typeof toRoomSchema>;

/** Rooms and inboxes told in one call. */
export const MAX_ANNOUNCEMENTS = 100;
export const announcementsSchema = z.strictObject({ data: z.array(announcementSchema).min(1).max(MAX_ANNOUNCEMENTS) });

/** `told`: it has taken effect. `unavailable`: nothing has; tell it later. `unknown`: there is no such channel. `failed`: the room or inbox is at fault. */
const announceAnswerSchema = z.strictObject({ status: z.enum(['told', 'unavailable', 'unknown', 'failed']) });
export type AnnounceAnswer = z.infer<typeof announceAnswerSchema>;
/** In the order of the announcements. */
export const announceAnswersSchema = z.strictObject({ data: z.array(announceAnswerSchema) });
