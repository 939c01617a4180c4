import { z } from 'zod';
import { memberRoleSchema } from './events.ts';
import { counterSchema, idSchema, timeSchema } from './primitives.ts';
import { noticeReasonSchema } from './notifications.ts';
import { customStatusSchema, presenceChoiceSchema } from './presence.ts';
import { scheduleFailureSchema } from './scheduled-messages.ts';

/**
 * The events of a user's inbox: a log of its own, with its own `epoch` and `seq`, resumed like a room's. What others caused bears the id of the
 * event that caused it, so that telling the inbox twice adds nothing (G2).
 */
const base = { seq: counterSchema, id: idSchema, at: timeSchema };

export const inboxEventSchema = z.discriminatedUnion('type', [
  /**
   * The read marker of a channel was moved, on this or another device: up, or with a higher `generation` back, because something was marked as unread. Absent: 0.
   * Of two markers the one with the higher (`generation`, `read_pos`) is the later.
   */
  z.strictObject({ ...base, type: z.literal('read.moved'), channel_id: idSchema, read_pos: counterSchema, generation: counterSchema.optional() }),
  /** The user has become a member, or their role in the channel has changed. */
  z.strictObject({ ...base, type: z.literal('channel.joined'), channel_id: idSchema, role: memberRoleSchema, actor_id: idSchema }),
  z.strictObject({ ...base, type: z.literal('channel.left'), channel_id: idSchema, actor_id: idSchema }),
  /**
   * A message that is meant for the user. Without its text, which the channel alone may show, while the user is a member. `channel_seq` is that of the
   * event by which the message was sent, also where an edit has brought the notice.
   */
  z.strictObject({
    ...base,
    type: z.literal('message.notified'),
    reason: noticeReasonSchema,
    channel_id: idSchema,
    message_id: idSchema,
    author_id: idSchema,
    channel_seq: counterSchema,
    pos: counterSchema.nullable(),
    thread_id: idSchema.nullable(),
    /** The message was written in the user's quiet hours: nobody is to be interrupted by it. Absent otherwise. */
    quiet: z.literal(true).optional(),
  }),
  /** Notices up to `read_seq` were marked as read, on this or another device. */
  z.strictObject({ ...base, type: z.literal('notices.read'), read_seq: counterSchema }),
  /** The mark up to which the user has read a thread was moved, on this or another device. */
  z.strictObject({ ...base, type: z.literal('thread.read'), channel_id: idSchema, thread_id: idSchema, read_tpos: counterSchema }),
  /** The user has said, on this or another device, that they follow a thread, or do not. */
  z.strictObject({ ...base, type: z.literal('thread.followed'), channel_id: idSchema, thread_id: idSchema, following: z.boolean() }),
  /** A draft of the user's was saved, or deleted, on this or another device. `version`: of the draft, or of the one that was deleted; what is saved after that has a higher one. */
  z.strictObject({ ...base, type: z.literal('draft.changed'), channel_id: idSchema, thread_id: idSchema.nullable(), version: counterSchema, deleted: z.boolean() }),
  /** A message that the user had scheduled was not sent, and will not be. */
  z.strictObject({ ...base, type: z.literal('scheduled_message.failed'), channel_id: idSchema, scheduled_message_id: idSchema, failure: scheduleFailureSchema }),
  /**
   * A message was saved for later, or is no more, on this or another device. `version` of the list rises by 1 with each change: who finds one missing reads the list
   * again.
   */
  z.strictObject({ ...base, type: z.literal('saved.changed'), message_id: idSchema, saved: z.boolean(), version: counterSchema }),
  /** What the user chose to be seen as, on any device. */
  z.strictObject({ ...base, type: z.literal('presence.chosen'), choice: presenceChoiceSchema, status: customStatusSchema.nullable() }),
]);
export type InboxEvent = z.infer<typeof inboxEventSchema>;
export type InboxEventType = InboxEvent['type'];

type WithoutBase<E> = E extends InboxEvent ? Omit<E, keyof typeof base> : never;
/** What the Worker tells an inbox of its user's own, which Postgres holds: for their other devices. */
export type InboxNote = WithoutBase<Extract<InboxEvent, { type: 'thread.read' | 'thread.followed' | 'draft.changed' | 'scheduled_message.failed' }>>;
