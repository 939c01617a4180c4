import { z } from 'zod';
import { MAX_MODERATION_COMMENT } from './limits.ts';
import { idSchema, storableString, timeSchema } from './primitives.ts';

const MAX_REASON = 500;
/** Open reports of one user at a time. */
export const MAX_OPEN_REPORTS = 20;

const commentSchema = z.union([z.literal(''), storableString(MAX_MODERATION_COMMENT)]).default('');

/** Why, in the words of who moderates: it goes into the audit log. */
export const removeMessageBodySchema = z.strictObject({ reason: storableString(MAX_REASON) });
export const removedMessageSchema = z.strictObject({ message_id: idSchema, channel_id: idSchema }).meta({ id: 'RemovedMessage' });

export const reportReasonSchema = z.enum(['spam', 'harassment', 'illegal', 'sensitive', 'other']);
export type ReportReason = z.infer<typeof reportReasonSchema>;
export const reportBodySchema = z.strictObject({ reason: reportReasonSchema, comment: commentSchema });
export type ReportBody = z.infer<typeof reportBodySchema>;

const statusSchema = z.enum(['open', 'resolved']);
export type ReportStatus = z.infer<typeof statusSchema>;
/** What who reported a message is told. */
export const ownReportSchema = z
  .strictObject({ id: idSchema, message_id: idSchema, reason: reportReasonSchema, comment: z.string(), status: statusSchema, created_at: timeSchema })
  .meta({ id: 'OwnReport' });
export type OwnReport = z.infer<typeof ownReportSchema>;

const reportActionSchema = z.enum(['dismiss', 'remove_message']);

/** For who moderates: no more of a private channel than that it is one. */
export const reportSchema = ownReportSchema
  .extend({
    channel_id: idSchema,
    channel_kind: z.enum(['public', 'private', 'direct']),
    author_id: idSchema,
    /** Whoever did it: the report stays open where that was its author, who does not end it by that. */
    message_deleted: z.boolean(),
    reporter_id: idSchema,
    resolved_at: timeSchema.nullable(),
    resolved_by: idSchema.nullable(),
    action: reportActionSchema.nullable(),
    note: z.string().nullable(),
  })
  .meta({ id: 'Report' });
export type Report = z.infer<typeof reportSchema>;
export const reportPageSchema = z.strictObject({ data: z.array(reportSchema), next_cursor: z.string().nullable() }).meta({ id: 'ReportPage' });
/** `text`: the message as it was reported; null once the report is resolved, or all of its author was redacted. */
export const reportDetailSchema = reportSchema.extend({ text: z.string().nullable() }).meta({ id: 'ReportDetail' });
export type ReportDetail = z.infer<typeof reportDetailSchema>;

export const resolveReportBodySchema = z
  .strictObject({ action: reportActionSchema, note: commentSchema })
  .refine(({ action, note }) => action === 'dismiss' || (note !== '' && note.length <= MAX_REASON), { message: `must say why the message is removed, in at most ${MAX_REASON} characters`, path: ['note'] })
  .meta({ anyOf: [{ properties: { action: { const: 'dismiss' } } }, { properties: { note: { minLength: 1, maxLength: MAX_REASON } }, required: ['note'] }] });
export type ResolveReportBody = z.infer<typeof resolveReportBodySchema>;
