import { z } from 'zod';

/** What is used of a Slack export; other fields are passed over. */
const idSchema = z.string().regex(/^[A-Z0-9]{1,20}$/, 'must be an id of Slack');
/** Seconds since 1970 with a fraction: the id of a message within its channel. */
const tsSchema = z.string().regex(/^\d{1,11}\.\d{1,9}$/, 'must be a ts of Slack');
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().catch(null);

export const usersSchema = z.array(
  z.object({
    id: idSchema,
    name: z.string(),
    real_name: optional(z.string()),
    profile: optional(z.object({ display_name: optional(z.string()), real_name: optional(z.string()) })),
  }),
);
export type SlackUser = z.infer<typeof usersSchema>[number];

export const channelsSchema = z.array(z.object({ id: idSchema, name: z.string().min(1), topic: optional(z.object({ value: optional(z.string()) })) }));
/** Direct messages of two, in a folder of their id; of several, in one of their name. */
export const dmsSchema = z.array(z.object({ id: idSchema, name: optional(z.string()), members: z.array(z.string()).default([]) }));

const reactionSchema = z.object({ name: z.string(), users: z.array(z.string()).default([]), count: optional(z.int()) });
const fileSchema = z.object({ name: optional(z.string()), title: optional(z.string()), permalink: optional(z.string()), url_private: optional(z.string()) });
const attachmentSchema = z.object({ title: optional(z.string()), title_link: optional(z.string()), text: optional(z.string()), fallback: optional(z.string()) });

const messageSchema = z.object({
  type: z.string(),
  subtype: optional(z.string()),
  ts: tsSchema,
  thread_ts: tsSchema.nullish(),
  reply_count: optional(z.int()),
  user: optional(z.string()),
  username: optional(z.string()),
  user_profile: optional(z.object({ display_name: optional(z.string()), real_name: optional(z.string()), name: optional(z.string()) })),
  bot_profile: optional(z.object({ name: optional(z.string()) })),
  text: z.string().nullish(),
  edited: optional(z.object({ ts: optional(z.string()) })),
  reactions: optional(z.array(reactionSchema)),
  files: optional(z.array(fileSchema)),
  attachments: optional(z.array(attachmentSchema)),
});
export type SlackMessage = z.infer<typeof messageSchema>;
export const daySchema = z.array(messageSchema);
