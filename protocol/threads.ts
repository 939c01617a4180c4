import { z } from 'zod';
import { userSchema } from './api.ts';
import { counterSchema, idSchema, timeSchema } from './primitives.ts';

/** Threads that a user follows (`/v1/me/threads`). A thread is named by its root: `thread_id` is that message's id. */

/** Threads that a user has said something about, by following or unfollowing. One more: 409. */
export const MAX_CHOSEN_THREADS = 10_000;

/** `read_tpos`: up to where the user has read it, or began to follow it. `unread_replies`: those of others after it that are not deleted, among the newest 1,000. */
const readState = { last_tpos: counterSchema, read_tpos: counterSchema, unread_replies: counterSchema };

/** A thread, as one member sees it; `followers` are members of the channel. */
export const threadStateSchema = z
  .strictObject({ channel_id: idSchema, thread_id: idSchema, following: z.boolean(), followers: counterSchema, reply_count: counterSchema, ...readState })
  .meta({ id: 'ThreadState' });
export type ThreadState = z.infer<typeof threadStateSchema>;

export const followedThreadSchema = z
  .strictObject({
    channel_id: idSchema,
    thread_id: idSchema,
    /** `text` is empty once it is deleted. */
    root: z.strictObject({ author_id: idSchema, text: z.string(), created_at: timeSchema, deleted_at: timeSchema.nullable() }),
    reply_count: counterSchema,
    last_reply_at: timeSchema,
    ...readState,
  })
  .meta({ id: 'FollowedThread' });
export type FollowedThread = z.infer<typeof followedThreadSchema>;
/** `users`: the authors of the roots. */
export const followedThreadPageSchema = z
  .strictObject({ data: z.array(followedThreadSchema), next_cursor: z.string().nullable(), users: z.array(userSchema) })
  .meta({ id: 'FollowedThreadPage' });
export type FollowedThreadPage = z.infer<typeof followedThreadPageSchema>;

export const threadReadStateSchema = z.strictObject({ tpos: counterSchema }).meta({ id: 'ThreadReadState' });
