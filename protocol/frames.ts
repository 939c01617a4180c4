import { z } from 'zod';
import { problemSchema } from './errors.ts';
import { channelEventSchema, originSchema } from './events.ts';
import { clientMsgIdSchema, counterSchema, emojiSchema, idSchema, textSchema, timeSchema } from './primitives.ts';

/** The commands of a conversation: the same union serves the socket, the HTTP routes and the room's RPC. */
export const sendCommand = z.strictObject({
  type: z.literal('send'),
  client_msg_id: clientMsgIdSchema,
  text: textSchema,
  thread_id: idSchema.optional(),
  origin: originSchema.optional(),
});
const editCommand = z.strictObject({ type: z.literal('edit'), message_id: idSchema, text: textSchema });
const deleteCommand = z.strictObject({ type: z.literal('delete'), message_id: idSchema });
const reactCommand = z.strictObject({ type: z.literal('react'), message_id: idSchema, emoji: emojiSchema });
const unreactCommand = z.strictObject({ type: z.literal('unreact'), message_id: idSchema, emoji: emojiSchema });
const commandSchema = z.discriminatedUnion('type', [sendCommand, editCommand, deleteCommand, reactCommand, unreactCommand]);
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

/** Client → server. `id` is the client's own, echoed as `re`. */
const commandId = z.string().min(1).max(64);
const withId = <S extends z.ZodRawShape>(command: z.ZodObject<S, z.core.$strict>) => command.extend({ id: commandId });
export const clientFrameSchema = z.discriminatedUnion('type', [
  withId(sendCommand.omit({ origin: true })),
  withId(editCommand),
  withId(deleteCommand),
  withId(reactCommand),
  withId(unreactCommand),
  z.strictObject({ type: z.literal('ack'), seq: counterSchema }),
]);
export type ClientFrame = z.infer<typeof clientFrameSchema>;

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
  limits: z.strictObject({ frame_bytes: z.int(), window_events: z.int(), window_bytes: z.int() }),
});
const eventsFrame = z.strictObject({
  type: z.literal('events'),
  epoch: z.int().min(1),
  from: counterSchema,
  to: counterSchema,
  events: z.array(channelEventSchema),
});
const resultFrame = z.strictObject({
  type: z.literal('result'),
  re: commandId,
  ok: commandResultSchema.optional(),
  problem: problemSchema.optional(),
});
/** A frame that could not be tied to a command: unreadable, or out of protocol. The socket is closed with 4000 after repeated ones. */
const problemFrame = z.strictObject({ type: z.literal('problem'), problem: problemSchema });
export const serverFrameSchema = z.discriminatedUnion('type', [welcomeFrame, eventsFrame, resultFrame, problemFrame]);
export type ServerFrame = z.infer<typeof serverFrameSchema>;
