import { z } from 'zod';
import { counterSchema, idSchema, momentSchema, storableString, timeSchema } from './primitives.ts';

/** All that is audited. What each of them tells, and what is not audited, is in `docs/admin.md`. */
export const auditActSchema = z.enum([
  'user.role_changed',
  'user.deactivated',
  'user.reactivated',
  'user.redaction_requested',
  'user.avatar_removed',
  'bot.created',
  'credential.created',
  'credential.revoked',
  'channel.archived',
  'channel.unarchived',
  'channel.updated',
  'channel.made_private',
  'channel.made_public',
  'member.added',
  'member.removed',
  'member.role_changed',
  'webhook.created',
  'webhook.updated',
  'webhook.secret_rotated',
  'webhook.deleted',
  'dead_letter.edited',
  'dead_letter.redriven',
  'dead_letter.discarded',
  'restart.announced',
  'settings.updated',
  'invitation.created',
  'invitation.revoked',
  'message.removal_ordered',
  'file.removed',
  'report.viewed',
  'report.resolved',
  'export.started',
]);
export type AuditAct = z.infer<typeof auditActSchema>;

export const auditTargetSchema = z.enum(['user', 'credential', 'channel', 'webhook', 'dead_letter', 'message', 'file', 'report', 'export', 'settings', 'invitation', 'workspace']);
export type AuditTarget = z.infer<typeof auditTargetSchema>;

/** A SHA-256, in lower-case hexadecimal digits. */
const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits');

/** `details` is the JSON text that was hashed. */
export const auditRowSchema = z
  .strictObject({
    seq: counterSchema,
    at: timeSchema,
    act: auditActSchema,
    /** The user who acted; null for somebody who works on the database itself, whom `actor_name` names. */
    actor_id: idSchema.nullable(),
    actor_name: z.string().nullable(),
    credential_id: idSchema.nullable(),
    target_kind: auditTargetSchema,
    target_id: z.string().nullable(),
    details: z.string(),
    request_id: z.string().nullable(),
    previous_hash: hashSchema,
    hash: hashSchema,
  })
  .meta({ id: 'AuditRow' });
export type AuditRow = z.infer<typeof auditRowSchema>;
export const auditPageSchema = z.strictObject({ data: z.array(auditRowSchema), next_cursor: z.string().nullable() }).meta({ id: 'AuditPage' });

/** The newest row of the chain; `seq` 0 and zeros while there is none. Kept elsewhere it proves that the log was not cut off behind it. */
export const auditHeadSchema = z.strictObject({ seq: counterSchema, hash: hashSchema }).meta({ id: 'AuditHead' });
export type AuditHead = z.infer<typeof auditHeadSchema>;
export const NO_AUDIT_HEAD: AuditHead = { seq: 0, hash: '0'.repeat(64) };


/** All conditions hold; `since` on, before `until`. */
export const auditFilterSchema = z.strictObject({
  actor: idSchema.optional(),
  act: auditActSchema.optional(),
  target: storableString(100).optional(),
  since: momentSchema.optional(),
  until: momentSchema.optional(),
});
export type AuditFilter = z.infer<typeof auditFilterSchema>;
