import { z } from 'zod';
import { userSchema } from './api.ts';
import { displayNameSchema, handleSchema } from './names.ts';
import { idSchema, storableString, timeSchema } from './primitives.ts';
import { scopeSchema, TOKEN_SCOPES } from './scopes.ts';

/** `session`: a browser. `personal`, `bot`: tokens Colink issued. `provider`: an access token of the identity provider, known since its first use. */
export const credentialKindSchema = z.enum(['session', 'personal', 'bot', 'provider']);
export type CredentialKind = z.infer<typeof credentialKindSchema>;

/** Longest name of a token, and longest life of one, in days. */
const MAX_NAME = 80;
const MAX_DAYS = 365;

export const credentialSchema = z
  .strictObject({
    id: idSchema,
    kind: credentialKindSchema,
    /** Of a session: the browser and its system. */
    name: z.string(),
    scopes: z.array(z.string()),
    created_at: timeSchema,
    /** To the hour; null: not used yet. */
    last_used_at: timeSchema.nullable(),
    expires_at: timeSchema,
    /** Whether this request was made with it. */
    current: z.boolean(),
  })
  .meta({ id: 'Credential' });
export type Credential = z.infer<typeof credentialSchema>;

/** Newest first. Not paged: a user has at most a few hundred. */
export const credentialListSchema = z.strictObject({ data: z.array(credentialSchema) }).meta({ id: 'CredentialList' });
export type CredentialList = z.infer<typeof credentialListSchema>;

export const tokenBodySchema = z.strictObject({
  name: storableString(MAX_NAME),
  scopes: z
    .array(scopeSchema)
    .min(1)
    .max(scopeSchema.options.length)
    .default([...TOKEN_SCOPES]),
  expires_in_days: z.int().min(1).max(MAX_DAYS).default(30),
});
export type TokenBody = z.infer<typeof tokenBodySchema>;

/** `secret` is shown this once. Null where a request is repeated under its key: it is kept nowhere. */
export const newTokenSchema = credentialSchema.extend({ secret: z.string().nullable() }).meta({ id: 'NewToken' });
export type NewToken = z.infer<typeof newTokenSchema>;

/** How many were revoked. */
export const revokedSchema = z.strictObject({ revoked: z.int().min(0) }).meta({ id: 'Revoked' });

/** A bot is called as a person may be. */
export const botBodySchema = z.strictObject({ handle: handleSchema, display_name: displayNameSchema });
export type BotBody = z.infer<typeof botBodySchema>;

export const botSchema = z.strictObject({ user: userSchema, owner_id: idSchema, deactivated: z.boolean() }).meta({ id: 'Bot' });
export type Bot = z.infer<typeof botSchema>;
export const botListSchema = z.strictObject({ data: z.array(botSchema) }).meta({ id: 'BotList' });

export const userRoleBodySchema = z.strictObject({ role: userSchema.shape.role });
