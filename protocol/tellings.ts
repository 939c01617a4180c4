import { z } from 'zod';
import { memberRoleSchema } from './events.ts';
import { badgeSchema } from './frames.ts';
import { noticeReasonSchema } from './notifications.ts';
import { counterSchema, idSchema } from './primitives.ts';

/**
 * What the consumer fleet tells the Worker's inboxes, by `POST /internal/inboxes`. All of it may be told again, or come late, without harm.
 */

/** A change of a membership, as Postgres committed it. `role` null: left. `version` is `channels.members_version`. */
const memberChangeSchema = z.strictObject({
  event_id: idSchema,
  channel_id: idSchema,
  actor_id: idSchema,
  role: memberRoleSchema.nullable(),
  version: counterSchema,
});
export type InboxMemberChange = z.infer<typeof memberChangeSchema>;

/** The membership by which the user may know of the rest, as Postgres had it then. */
const membership = { role: memberRoleSchema, version: counterSchema };

/**
 * A message that is meant for the user; `event_id` is that of the event that brought it, `channel_seq` that of the event by which the message was sent: by
 * which it is told once, however often it is edited. `quiet`: it was written in the user's quiet hours.
 */
const noticeSchema = z.strictObject({
  event_id: idSchema,
  ...membership,
  reason: noticeReasonSchema,
  channel_id: idSchema,
  message_id: idSchema,
  author_id: idSchema,
  channel_seq: counterSchema,
  pos: counterSchema.nullable(),
  thread_id: idSchema.nullable(),
  quiet: z.literal(true).optional(),
});
export type InboxNotice = z.infer<typeof noticeSchema>;

/**
 * What a channel has for the user, as counted in one snapshot: with exactly the events up to `as_of_seq` of `epoch`, after `read_pos`, and the levels and notices of
 * `settings_version` (which rises with each change of them; absent: of an earlier release).
 */
const countedBadgeSchema = badgeSchema.extend({ ...membership, epoch: counterSchema, as_of_seq: counterSchema, settings_version: counterSchema.optional() });
export type InboxBadge = z.infer<typeof countedBadgeSchema>;

/** What one inbox is told at once. */
const tellingSchema = z.strictObject({ changes: z.array(memberChangeSchema), notices: z.array(noticeSchema), badges: z.array(countedBadgeSchema) });
export type InboxTelling = z.infer<typeof tellingSchema>;

/** Inboxes told in one call. */
export const MAX_TELLINGS = 100;
export const tellingsSchema = z.strictObject({ data: z.array(tellingSchema.extend({ user_id: idSchema })).min(1).max(MAX_TELLINGS) });
export type UserTelling = z.infer<typeof tellingsSchema>['data'][number];

/**
 * `told`: it is kept. `asleep`: it is, but nobody has listened for a while, so badges need not be told any more, unless the inbox has woken since
 * this version. `backlogged`, `unavailable`: nothing is kept; tell it later. `unknown`: there is no such user. `failed`: the inbox is at fault.
 */
export const tellAnswerSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.enum(['told', 'backlogged', 'unavailable', 'unknown', 'failed']) }),
  z.strictObject({ status: z.literal('asleep'), awake_version: counterSchema }),
]);
export type TellAnswer = z.infer<typeof tellAnswerSchema>;
/** In the order of the tellings. */
export const tellAnswersSchema = z.strictObject({ data: z.array(tellAnswerSchema) });
