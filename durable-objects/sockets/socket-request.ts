import { z } from 'zod';
import { counterSchema, idSchema } from '../../protocol/primitives.ts';
import type { SocketRequest } from '../channel-room/room-api.ts';
import type { InboxSocketRequest } from '../user-inbox/inbox-api.ts';

/** What a Worker says of the socket it asks for. Nobody else can speak to an object; yet what goes into a room's memory is checked. */
export const socketRequestSchema = z.strictObject({
  channel_id: idSchema,
  actor: z.strictObject({ user_id: idSchema, credential_id: idSchema, expires_at: z.number() }),
  next_ticket: z.string().optional(),
  since: z.strictObject({ epoch: z.int(), seq: counterSchema }).nullable(),
}) satisfies z.ZodType<SocketRequest>;

export const inboxSocketRequestSchema = socketRequestSchema.omit({ channel_id: true }) satisfies z.ZodType<InboxSocketRequest>;
