import { z } from 'zod';
import { idSchema } from './primitives.ts';

/** What the consumer fleet has rooms do by `POST /internal/redactions`: delete a user's messages, a bounded part a call. It may be asked again without harm. */
const redactionSchema = z.strictObject({
  channel_id: idSchema,
  /** Whose messages. */
  user_id: idSchema,
  /** Who wants it: the actor of the deletions. */
  actor_id: idSchema,
  /** The last message the room has looked at; null: begin. */
  after: idSchema.nullable(),
});
export type Redaction = z.infer<typeof redactionSchema>;

/** Rooms of one call. */
export const MAX_REDACTIONS = 50;
export const redactionsSchema = z.strictObject({ data: z.array(redactionSchema).min(1).max(MAX_REDACTIONS) });

/**
 * `told`: done up to the message `after`, null: to the end. `unavailable`: nothing is done, tell it later; also where the room holds as many unstored events as
 * it may. `unknown`: there is no such channel. `failed`: the room is at fault.
 */
const redactAnswerSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('told'), after: idSchema.nullable() }),
  z.strictObject({ status: z.enum(['unavailable', 'unknown', 'failed']) }),
]);
export type RedactAnswer = z.infer<typeof redactAnswerSchema>;
/** In the order of the redactions. */
export const redactAnswersSchema = z.strictObject({ data: z.array(redactAnswerSchema) });
