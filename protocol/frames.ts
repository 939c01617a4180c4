import { z } from 'zod';
import { problemSchema } from './errors.ts';
import { channelEventSchema, originSchema } from './events.ts';
import { inboxEventSchema } from './inbox-events.ts';
import { userPresenceSchema } from './presence.ts';
import { clientMsgIdSchema, counterSchema, emojiSchema, fileIdsSchema, idSchema, textSchema, timeSchema } from './primitives.ts';

/** The commands of a conversation: the same union serves the socket, the HTTP routes and the room's RPC. */
export const sendCommand = z.strictObject({
  type: z.literal('send'),
  client_msg_id: clientMsgIdSchema,
  text: textSchema,
  thread_id: idSchema.optional(),
  origin: originSchema.optional(),
  file_ids: fileIdsSchema.optional(),
});
const editCommand = z.strictObject({ type: z.literal('edit'), message_id: idSchema, text: textSchema });
const deleteCommand = z.strictObject({ type: z.literal('delete'), message_id: idSchema });
const reactCommand = z.strictObject({ type: z.literal('react'), message_id: idSchema, emoji: emojiSchema });
const unreactCommand = z.strictObject({ type: z.literal('unreact'), message_id: idSchema, emoji: emojiSchema });
const pinCommand = z.strictObject({ type: z.literal('pin'), message_id: idSchema });
const unpinCommand = z.strictObject({ type: z.literal('unpin'), message_id: idSchema });
const removePreviewsCommand = z.strictObject({ type: z.literal('remove_previews'), message_id: idSchema });
const commandSchema = z.discriminatedUnion('type', [sendCommand, editCommand, deleteCommand, reactCommand, unreactCommand, pinCommand, unpinCommand, removePreviewsCommand]);
export type Command = z.infer<typeof commandSchema>;
export type SendCommand = z.infer<typeof sendCommand>;

/**
 * What an accepted command did. `seq` is its event's; a command that changed nothing (a reaction already there, a repeated send)
 * has `changed: false` and the `seq` of the event that did it, or null where that event is no longer known.
 */
export const commandResultSchema = z.strictObject({
  message_id: idSchema,
  seq: counterSchema.nullable(),
  pos: counterSchema.nullable(),
  thread_id: idSchema.nullable(),
  tpos: counterSchema.nullable(),
  at: timeSchema,
  changed: z.boolean(),
});
export type CommandResult = z.infer<typeof commandResultSchema>;

/** `id` of a command is the client's own, echoed as `re`. */
const commandId = z.string().min(1).max(64);
const ticketSchema = z.string().min(1).max(300);
/** Opens one socket of the same user more, where one is lost: nothing has to be looked up then. Valid for 24 h, and no longer than the credential. */
const nextTicketSchema = ticketSchema.optional();
const withId = <S extends z.ZodRawShape>(command: z.ZodObject<S, z.core.$strict>) => command.extend({ id: commandId });

/** Received and processed up to `seq`: gives the socket credit. Unanswered. */
const ackFrame = z.strictObject({ type: z.literal('ack'), seq: counterSchema });
/**
 * A fresh ticket of the same user, before the credential of this socket ends: the socket goes on with the ticket's. Answered with the new end, or
 * with `unauthenticated`, and the socket is as it was.
 */
const refreshFrame = z.strictObject({ type: z.literal('refresh'), id: commandId, ticket: ticketSchema });

/** Client → room. */
export const clientFrameSchema = z.discriminatedUnion('type', [
  withId(sendCommand.omit({ origin: true })),
  withId(editCommand),
  withId(deleteCommand),
  withId(reactCommand),
  withId(unreactCommand),
  withId(pinCommand),
  withId(unpinCommand),
  withId(removePreviewsCommand),
  ackFrame,
  refreshFrame,
  /** The user is typing, in the channel or in a thread. Unanswered; more than one in 3 s is passed over. */
  z.strictObject({ type: z.literal('typing'), thread_id: idSchema.optional() }),
  /** Whether this socket is told who of the channel is present. Off at first. Answered by a `presence` frame with `full: true` where on. */
  z.strictObject({ type: z.literal('watch'), presence: z.boolean() }),
]);
export type ClientFrame = z.infer<typeof clientFrameSchema>;

/** Client → inbox. */
export const inboxClientFrameSchema = z.discriminatedUnion('type', [
  ackFrame,
  refreshFrame,
  /**
   * Moves the read marker of a channel up to `pos`, on all devices. It never goes down by this. `generation`: of the marker as the device knew it when its user read
   * on; one that is lower than the marker's changes nothing, for something was marked as unread since. Absent: whatever it is.
   */
  z.strictObject({ type: z.literal('read'), id: commandId, channel_id: idSchema, pos: counterSchema, generation: counterSchema.optional() }),
  /**
   * Moves the read marker of a channel back to before the message at `pos`, on all devices, and its `generation` on by 1. Where that message is unread nothing
   * changes. `generation`: as for `read`.
   */
  z.strictObject({ type: z.literal('mark_unread'), id: commandId, channel_id: idSchema, pos: counterSchema.min(1), generation: counterSchema.optional() }),
  /** Whether the user is at this device. A socket begins `active`. Unanswered. */
  z.strictObject({ type: z.literal('activity'), state: z.enum(['active', 'idle']) }),
  /**
   * What the user has before their eyes at this device: the newest messages of a channel, and of a thread of it; null: of none. Nobody is notified of what
   * they are reading. It holds until the next one, while the user is active, and while the socket is heard of. Unanswered.
   */
  z.strictObject({ type: z.literal('viewing'), channel_id: idSchema.nullable(), thread_id: idSchema.optional() }),
]);
export type InboxClientFrame = z.infer<typeof inboxClientFrameSchema>;

/**
 * Server → client.
 *
 * `welcome.seq` is the cursor behind which this socket's `events` begin: the next `events` frame has `from = seq + 1`.
 * `recovered: true`: it is the client's own `since`, and all that was missed follows. `recovered: false`: the client gave none, or it
 * cannot be served whole; its state is void, it reads history again (whose `as_of_seq` is `seq` or later) and applies what is newer.
 *
 * A client answers its `welcome` with an `ack` of that `seq`: workerd ends a socket that the room closes at once only if the client has sent
 * something on it before, else when the room next sleeps (10 to 30 s; workerd 1.20261102.1, 2026-11-23).
 */
const welcomeFrame = z.strictObject({
  type: z.literal('welcome'),
  session: idSchema,
  epoch: z.int().min(1),
  seq: counterSchema,
  /** The last event the room had at that moment. */
  head: counterSchema,
  recovered: z.boolean(),
  heartbeat_seconds: z.int(),
  /** Absent where none could be had: then a ticket is to be asked for, as for the first socket. */
  next_ticket: nextTicketSchema,
  limits: z.strictObject({ frame_bytes: z.int(), window_events: z.int(), window_bytes: z.int() }),
});
const eventsFrame = z.strictObject({
  type: z.literal('events'),
  epoch: z.int().min(1),
  from: counterSchema,
  to: counterSchema,
  events: z.array(channelEventSchema),
});
/** `ok` of a `refresh`: when the credential that now carries the socket ends, and its next ticket; the one before is of the other credential. */
export const refreshResultSchema = z.strictObject({ expires_at: timeSchema, next_ticket: nextTicketSchema });
export type RefreshResult = z.infer<typeof refreshResultSchema>;
/** Where marking notices as read has come to. */
export interface NoticesRead {
  readonly read_seq: number;
}
/** `ok` of a `read` or `mark_unread`: where the marker stands now. `generation` absent: 0. */
export const readResultSchema = z.strictObject({ read_pos: counterSchema, generation: counterSchema.optional() });
export type ReadResult = z.infer<typeof readResultSchema>;
const resultOf = <S extends z.ZodType>(ok: S) =>
  z.strictObject({ type: z.literal('result'), re: commandId, ok: ok.optional(), problem: problemSchema.optional() });
/** A frame that could not be tied to a command: unreadable, or out of protocol. The socket is closed with 4000 after repeated ones. */
const problemFrame = z.strictObject({ type: z.literal('problem'), problem: problemSchema });
/** The credential of this socket ends then: `refresh` in time, or it is closed with 4001. Sent 60 s before, or at once where less is left. */
const authExpiringFrame = z.strictObject({ type: z.literal('auth.expiring'), expires_at: timeSchema });
/**
 * The server will restart: the client leaves by itself at a random moment within `within_ms`, and comes back by `resume`. So do clients that
 * find `within=<milliseconds>` in the reason of a close (`protocol/close-codes.ts`).
 */
const reconnectFrame = z.strictObject({ type: z.literal('reconnect'), within_ms: z.int().min(0) });
/** Who is typing in the channel now, but for the receiver: the whole list, each time it changes. An entry that is not renewed ends after 5 s. */
const typingFrame = z.strictObject({ type: z.literal('typing'), users: z.array(z.strictObject({ user_id: idSchema, thread_id: idSchema.nullable() })) });

/**
 * To sockets that `watch`. `full`: all of it, and what was known is void; otherwise what has changed, each user at most once in 5 s. A channel of
 * more than 200 members tells only how many users are connected to it: `users` null.
 */
const presenceFrame = z.strictObject({
  type: z.literal('presence'),
  full: z.boolean(),
  users: z.array(userPresenceSchema).nullable(),
  /** Users who are not offline; of a large channel, users with an open socket of it. */
  present: counterSchema,
});

/** Room → client. */
export const serverFrameSchema = z.discriminatedUnion('type', [
  welcomeFrame,
  eventsFrame,
  resultOf(z.union([commandResultSchema, refreshResultSchema])),
  problemFrame,
  authExpiringFrame,
  reconnectFrame,
  typingFrame,
  presenceFrame,
]);
export type ServerFrame = z.infer<typeof serverFrameSchema>;

/**
 * What a channel has for the user: `unread` counts `pos > read_pos` of others, undeleted; `mentions` those of them that name the user, or notify them of a keyword or as `@channel` and
 * `@here` do, none where they want no notices of the channel (level `none`). Both among the newest 1,000 `pos` (`MAX_UNREAD`).
 */
export const badgeSchema = z
  .strictObject({
    channel_id: idSchema,
    last_pos: counterSchema,
    read_pos: counterSchema,
    /** Of the read marker; absent: 0. */
    read_generation: counterSchema.optional(),
    unread: counterSchema,
    mentions: counterSchema,
  })
  .meta({ id: 'Badge' });
export type Badge = z.infer<typeof badgeSchema>;
/**
 * `full`: of all channels that have any, after each `welcome`; a channel that is missing has none. Otherwise of those that have changed. Badges are
 * state, not events: only the newest of a channel is sent, at most ten times a second.
 */
const badgesFrame = z.strictObject({ type: z.literal('badges'), full: z.boolean(), badges: z.array(badgeSchema) });

/** Inbox → client. `events` carries the inbox's own log (`protocol/inbox-events.ts`). */
export const inboxServerFrameSchema = z.discriminatedUnion('type', [
  welcomeFrame,
  eventsFrame.extend({ events: z.array(inboxEventSchema) }),
  resultOf(z.union([readResultSchema, refreshResultSchema])),
  problemFrame,
  authExpiringFrame,
  reconnectFrame,
  badgesFrame,
]);
export type InboxServerFrame = z.infer<typeof inboxServerFrameSchema>;
