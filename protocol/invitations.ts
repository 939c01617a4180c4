import { z } from 'zod';
import { userSchema } from './api.ts';
import { INVITATION_SECONDS, MAX_INVITATION_CHANNELS, MAX_INVITATION_SECONDS, MAX_INVITATION_USES, MIN_INVITATION_SECONDS } from './limits.ts';
import { idSchema, timeSchema } from './primitives.ts';

/** What somebody becomes by an invitation who has no place here yet. Who has one keeps their role. */
const invitationRoleSchema = z.enum(['member', 'guest']);

/** It is good until `expires_at`, until it was used `max_uses` times, or is revoked; and as long as who made it may invite. */
export const invitationSchema = z
  .strictObject({
    id: idSchema,
    role: invitationRoleSchema,
    channel_ids: z.array(idSchema),
    created_by: idSchema,
    max_uses: z.int(),
    uses: z.int(),
    created_at: timeSchema,
    expires_at: timeSchema,
    revoked_at: timeSchema.nullable(),
  })
  .meta({ id: 'Invitation' });
export type Invitation = z.infer<typeof invitationSchema>;

/** `token` is shown this once; null where the request is a repetition. */
export const newInvitationSchema = invitationSchema.extend({ token: z.string().nullable() }).meta({ id: 'NewInvitation' });
export const invitationPageSchema = z.strictObject({ data: z.array(invitationSchema), next_cursor: z.string().nullable() }).meta({ id: 'InvitationPage' });

/** `expires_in` in seconds. */
export const invitationBodySchema = z
  .strictObject({
    role: invitationRoleSchema.default('guest'),
    channel_ids: z
      .array(idSchema)
      .max(MAX_INVITATION_CHANNELS)
      .refine((ids) => new Set(ids).size === ids.length, 'must name each channel once')
      .meta({ uniqueItems: true })
      .default([]),
    expires_in: z.int().min(MIN_INVITATION_SECONDS).max(MAX_INVITATION_SECONDS).default(INVITATION_SECONDS),
    max_uses: z.int().min(1).max(MAX_INVITATION_USES).default(1),
  })
  .refine(({ role, channel_ids }) => role === 'member' || channel_ids.length > 0, { path: ['channel_ids'], message: 'a guest is a guest of channels: there has to be one' })
  .meta({ anyOf: [{ properties: { role: { const: 'member' } }, required: ['role'] }, { properties: { channel_ids: { minItems: 1 } }, required: ['channel_ids'] }] });
export type InvitationBody = z.infer<typeof invitationBodySchema>;

export const acceptanceBodySchema = z.strictObject({ token: z.string().min(1).max(100) });
/** The caller as they are now, and those of the invitation's channels that they are a member of. */
export const acceptanceSchema = z.strictObject({ user: userSchema, channel_ids: z.array(idSchema) }).meta({ id: 'Acceptance' });
export type Acceptance = z.infer<typeof acceptanceSchema>;
