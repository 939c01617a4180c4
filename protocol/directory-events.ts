import { z } from 'zod';
import { namedUserSchema } from './api.ts';
import { channelKindSchema, memberRoleSchema } from './events.ts';
import { notificationLevelSchema } from './notifications.ts';
import { counterSchema, idSchema, timeSchema } from './primitives.ts';

/**
 * `event_log.data` of the directory's topics. `user.events` is keyed by the user's id, `channel.events` by the channel's. Unlike the
 * events of a channel's log these have no `seq`: `version` orders the changes of one user, one channel or one member list;
 * a credential is revoked once and for all, and has none.
 */
const base = { id: idSchema, at: timeSchema, actor_id: idSchema };

const userChange = { ...base, user: namedUserSchema, version: z.int() };
/** `purpose` is missing where an earlier release wrote it. */
const channelState = z.strictObject({ id: idSchema, kind: channelKindSchema, name: z.string(), topic: z.string(), purpose: z.string().optional() });
/** A direct channel: its members follow, by events of their own. */
const directState = z.strictObject({ id: idSchema, kind: z.literal('direct'), user_ids: z.array(idSchema) });

export const directoryEventSchema = z.discriminatedUnion('type', [
  z.strictObject({ ...userChange, type: z.literal('user.created') }),
  /** `deactivated`: whether the user's access was taken, or given back; missing where that is not what changed. */
  z.strictObject({ ...userChange, type: z.literal('user.updated'), deactivated: z.boolean().optional() }),
  /** A credential of the user is void before its end: they signed out. Deactivation voids all of theirs, and is told by `user.updated` alone. */
  z.strictObject({ ...base, type: z.literal('user.credential_revoked'), user_id: idSchema, credential_id: idSchema }),
  /** All messages of the user, who is deactivated, are to be deleted. */
  z.strictObject({ ...base, type: z.literal('user.redaction_requested'), user_id: idSchema }),
  /** The user is notified at another level, of one channel or (null) wherever a channel says nothing else: mentions count by it. */
  z.strictObject({
    ...base,
    type: z.literal('notification_level.updated'),
    user_id: idSchema,
    channel_id: idSchema.nullable(),
    level: notificationLevelSchema.nullable(),
    /** Of these settings. */
    version: z.int(),
  }),
  z.strictObject({ ...base, type: z.literal('channel.created'), channel: z.discriminatedUnion('kind', [channelState, directState]), version: z.int() }),
  /** The channel was archived, is open again, has another name, topic or purpose, or is of another kind. `version` as in `Channel`. */
  z.strictObject({ ...base, type: z.literal('channel.updated'), channel: channelState, archived: z.boolean(), version: z.int() }),
  z.strictObject({
    ...base,
    type: z.literal('channel.member_added'),
    channel_id: idSchema,
    user_id: idSchema,
    role: memberRoleSchema,
    /** `channels.members_version` after the change. */
    version: counterSchema,
  }),
  /** Somebody who moderates, the actor, has ordered the removal of a message: its room does it. */
  z.strictObject({ ...base, type: z.literal('channel.message_removal_ordered'), channel_id: idSchema, message_id: idSchema }),
  z.strictObject({ ...base, type: z.literal('channel.member_removed'), channel_id: idSchema, user_id: idSchema, version: counterSchema }),
]);
export type DirectoryEvent = z.infer<typeof directoryEventSchema>;
