import { z } from 'zod';
import { userSchema } from './api.ts';
import { displayNameSchema } from './names.ts';
import { idSchema, timeSchema } from './primitives.ts';

/** Incoming webhooks of one channel; one more is 409. */
export const MAX_INCOMING_WEBHOOKS = 50;

/** An address at which programs post into a channel. `bot` is who its messages are by. */
export const incomingWebhookSchema = z
  .strictObject({
    id: idSchema,
    channel_id: idSchema,
    bot: userSchema,
    created_by: idSchema,
    created_at: timeSchema,
    /** When its address was last exchanged for another. */
    rotated_at: timeSchema.nullable(),
    /** To the hour. Null: its present address was not used yet. */
    last_used_at: timeSchema.nullable(),
  })
  .meta({ id: 'IncomingWebhook' });
export type IncomingWebhook = z.infer<typeof incomingWebhookSchema>;

/** `url` holds the secret, and is shown this once. Null where a request is repeated under its key: it is kept nowhere. */
export const newIncomingWebhookSchema = incomingWebhookSchema.extend({ url: z.string().nullable() }).meta({ id: 'NewIncomingWebhook' });
export type NewIncomingWebhook = z.infer<typeof newIncomingWebhookSchema>;
export const incomingWebhookPageSchema = z.strictObject({ data: z.array(incomingWebhookSchema), next_cursor: z.string().nullable() }).meta({ id: 'IncomingWebhookPage' });

/** `name`: what its bot is called. */
export const incomingWebhookBodySchema = z.strictObject({ name: displayNameSchema });
