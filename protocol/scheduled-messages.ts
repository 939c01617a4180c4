import { z } from 'zod';
import { fileIdsSchema, idSchema, momentSchema, textSchema, timeSchema } from './primitives.ts';

/** Messages that are sent later (`/v1/me/scheduled-messages`). */

/** Messages of one user that wait for one channel. One more: 409. */
export const MAX_SCHEDULED = 100;
/** How long it is kept what became of one. */
export const SCHEDULE_DAYS = 30;

export const scheduleStatusSchema = z.enum(['pending', 'sent', 'failed']);
export type ScheduleStatus = z.infer<typeof scheduleStatusSchema>;
/**
 * Why a message was not sent. Its author was deactivated, or no member any more, or the channel archived, or the thread's root deleted; `refused`: the channel did not take it for another reason.
 */
export const scheduleFailureSchema = z.enum(['channel_archived', 'not_a_member', 'author_deactivated', 'thread_gone', 'refused']);
export type ScheduleFailure = z.infer<typeof scheduleFailureSchema>;

export const scheduledMessageSchema = z
  .strictObject({
    id: idSchema,
    channel_id: idSchema,
    /** The root of the thread in which it will be a reply. */
    thread_id: idSchema.nullable(),
    /** Empty once it is sent: then the message has it. */
    text: z.string(),
    file_ids: z.array(idSchema),
    send_at: timeSchema,
    status: scheduleStatusSchema,
    /** Of a failed one. */
    failure: scheduleFailureSchema.nullable(),
    /** Of a sent one: the message that it became. */
    message_id: idSchema.nullable(),
    settled_at: timeSchema.nullable(),
    created_at: timeSchema,
    version: z.int(),
  })
  .meta({ id: 'ScheduledMessage' });
export type ScheduledMessage = z.infer<typeof scheduledMessageSchema>;
export const scheduledMessagePageSchema = z
  .strictObject({ data: z.array(scheduledMessageSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'ScheduledMessagePage' });
export type ScheduledMessagePage = z.infer<typeof scheduledMessagePageSchema>;

export const scheduleBodySchema = z.strictObject({ text: textSchema, send_at: momentSchema, thread_id: idSchema.optional(), file_ids: fileIdsSchema.optional() });
export type ScheduleBody = z.infer<typeof scheduleBodySchema>;
/** What is not named stays. `file_ids` null: none. */
export const schedulePatchSchema = z
  .strictObject({ text: textSchema, send_at: momentSchema, file_ids: fileIdsSchema.nullable() })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, 'must change something')
  .meta({ minProperties: 1 });
export type SchedulePatch = z.infer<typeof schedulePatchSchema>;

/** What the consumer fleet has the Worker send, by `POST /internal/scheduled-messages`. `id` is the `client_msg_id` of the message, so it is sent once however often this is called (G2). */
export const dueMessageSchema = z.strictObject({
  id: idSchema,
  author_id: idSchema,
  channel_id: idSchema,
  thread_id: idSchema.nullable(),
  text: textSchema,
  file_ids: z.array(idSchema),
});
export type DueMessage = z.infer<typeof dueMessageSchema>;
/** `sent`: it is kept, by this call or an earlier one. `refused`: it never will be. Otherwise it is to be tried again; `backlogged`: and was certainly not sent. */
export const dueAnswerSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('sent'), message_id: idSchema }),
  z.strictObject({ status: z.literal('refused'), failure: scheduleFailureSchema }),
  z.strictObject({ status: z.enum(['backlogged', 'unavailable', 'failed']) }),
]);
export type DueAnswer = z.infer<typeof dueAnswerSchema>;
