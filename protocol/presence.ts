import { z } from 'zod';
import { MAX_STATUS_TEXT } from './limits.ts';
import { emojiSchema, idSchema, storableString, timeSchema } from './primitives.ts';

/** What others see. `online` and `away` follow from sockets and activity, `dnd` is chosen; `offline`: no live socket, or chosen to seem so. */
export const presenceStateSchema = z.enum(['online', 'away', 'dnd', 'offline']);
export type PresenceState = z.infer<typeof presenceStateSchema>;
/** A line of one's own beside the name, such as «In a meeting», until `expires_at` (null: until taken back). */
export const customStatusSchema = z
  .strictObject({ text: storableString(MAX_STATUS_TEXT), emoji: emojiSchema.nullable(), expires_at: timeSchema.nullable() })
  .meta({ id: 'CustomStatus' });
export type CustomStatus = z.infer<typeof customStatusSchema>;
/** What the user chose: `auto` lets sockets and activity decide. */
export const presenceChoiceSchema = z.enum(['auto', 'away', 'dnd', 'offline']);
export type PresenceChoice = z.infer<typeof presenceChoiceSchema>;
export const userPresenceSchema = z
  .strictObject({ user_id: idSchema, state: presenceStateSchema, status: customStatusSchema.nullable() })
  .meta({ id: 'UserPresence' });
export type UserPresence = z.infer<typeof userPresenceSchema>;

/** `event_log.data` of `presence.events`, keyed by the user's id: one a transition, at most one a user in 5 s. */
export const presenceEventSchema = z.strictObject({ id: idSchema, type: z.literal('presence.changed'), at: timeSchema, ...userPresenceSchema.shape });
export type PresenceEvent = z.infer<typeof presenceEventSchema>;
