import { z } from 'zod';
import { MAX_PAGE } from './limits.ts';
import { idSchema, momentSchema, storableString, timeSchema } from './primitives.ts';

/** Dead letters as those who work on them see them: the admin API and `colink dlq` (`docs/dead-letters.md`). */
export const deadLetterStatusSchema = z.enum(['pending', 'redriving', 'redriven', 'discarded']);
/**
 *     pending ──redrive──▶ redriving ──the group takes it──▶ redriven
 *      │  ▲                    │
 *      │  └──── it fails again ┘
 *      └──discard──▶ discarded
 */
export type DeadLetterStatus = z.infer<typeof deadLetterStatusSchema>;

const topicSchema = z.enum(['message.events', 'user.events', 'channel.events', 'presence.events', 'file.events']);
/** `drain` stands for what the drain of a room or an inbox gave up, which has no group. */
const groupSchema = z.string().regex(/^[a-z0-9-]{1,64}$/, 'must be a consumer group, or drain');


/** Which dead letters; all conditions hold. The times bound their last failure: from `since` on, before `until`. */
export const deadLetterFilterSchema = z.strictObject({
  group: groupSchema.optional(),
  topic: topicSchema.optional(),
  status: deadLetterStatusSchema.optional(),
  error_class: storableString(200).optional(),
  since: momentSchema.optional(),
  until: momentSchema.optional(),
});
export type DeadLetterFilter = z.infer<typeof deadLetterFilterSchema>;

/** Most letters that one call redrives or discards. */
export const MAX_ACT_LETTERS = MAX_PAGE;
/** Largest value an edit may give, in bytes. */
export const MAX_EDITED_VALUE = 1024 * 1024;
const MAX_REASON = 500;

/** `key` is text; bytes outside printable ASCII appear as Postgres escapes them (`\000`). */
const summaryShape = {
  id: idSchema,
  status: deadLetterStatusSchema,
  stage: z.enum(['drain', 'consumer']),
  group: z.string().nullable(),
  topic: topicSchema,
  partition: z.int().nullable(),
  offset: z.string().nullable(),
  key: z.string().nullable(),
  value_bytes: z.int().nullable(),
  error_class: z.string(),
  error_message: z.string(),
  attempts: z.int(),
  first_failed_at: timeSchema,
  last_failed_at: timeSchema,
  edited: z.boolean(),
  version: z.int(),
};
export const deadLetterSchema = z.strictObject(summaryShape).meta({ id: 'DeadLetter' });
export type DeadLetter = z.infer<typeof deadLetterSchema>;
export const deadLetterPageSchema = z.strictObject({ data: z.array(deadLetterSchema), next_cursor: z.string().nullable() }).meta({ id: 'DeadLetterPage' });

const textOrBytesSchema = z.union([z.strictObject({ text: z.string() }), z.strictObject({ base64: z.base64() })]);
/** Bytes: as text where they are UTF-8. */
export type TextOrBytes = z.infer<typeof textOrBytesSchema>;

/** A value of a header is text; one that Postgres' jsonb cannot hold as text is `base64:` and its bytes. */
const headersSchema = z.record(z.string(), z.union([z.string(), z.array(z.string())]));
export type StoredHeaders = z.infer<typeof headersSchema>;

const recordSchema = z.strictObject({ key: textOrBytesSchema.nullable(), value: textOrBytesSchema.nullable(), headers: headersSchema });
export type ShownRecord = z.infer<typeof recordSchema>;

const actSchema = z.strictObject({
  at: timeSchema,
  actor: z.string(),
  act: z.enum(['edit', 'redrive', 'discard', 'succeed', 'fail']),
  reason: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
});
export type DeadLetterAct = z.infer<typeof actSchema>;

/** `record` is what came, byte by byte; `redrives` what a redrive would hand over, edits included, and `faults` what a group would refuse of that. */
export const deadLetterDetailSchema = z
  .strictObject({ ...summaryShape, record: recordSchema, redrives: recordSchema, faults: z.array(z.string()), acts: z.array(actSchema) })
  .meta({ id: 'DeadLetterDetail' });
export type DeadLetterDetail = z.infer<typeof deadLetterDetailSchema>;

const tallySchema = z.strictObject({
  group: z.string().nullable(),
  topic: topicSchema,
  error_class: z.string(),
  status: deadLetterStatusSchema,
  letters: z.int(),
  oldest_failed_at: timeSchema,
  newest_failed_at: timeSchema,
});
export type DeadLetterTally = z.infer<typeof tallySchema>;
export const deadLetterStatsSchema = z.strictObject({ data: z.array(tallySchema) }).meta({ id: 'DeadLetterStats' });

/** By name, or by filter; only pending ones are ever meant. */
const selectionShape = {
  ids: z.array(idSchema).min(1).max(MAX_ACT_LETTERS).optional(),
  filter: deadLetterFilterSchema.omit({ status: true }).optional(),
  limit: z.int().min(1).max(MAX_ACT_LETTERS).default(MAX_ACT_LETTERS),
};
const isOneSelection = ({ ids, filter }: { ids?: unknown; filter?: unknown }): boolean => (ids === undefined) !== (filter === undefined);
const oneSelection = 'either ids or a filter must be given';
const ONE_OF_BOTH = { oneOf: [{ required: ['ids'] }, { required: ['filter'] }] };

export const redriveBodySchema = z
  .strictObject({ ...selectionShape, cursor: z.string().max(500).nullable().default(null), dry_run: z.boolean().default(false), reason: storableString(MAX_REASON).nullable().default(null) })
  .refine(isOneSelection, oneSelection)
  .meta(ONE_OF_BOTH);
export const discardBodySchema = z.strictObject({ ...selectionShape, reason: storableString(MAX_REASON) }).refine(isOneSelection, oneSelection).meta(ONE_OF_BOTH);

/** `ids`: the letters this call moved. `remaining`: how many pending ones the selection still has. */
export const discardResultSchema = z.strictObject({ ids: z.array(idSchema), remaining: z.int() }).meta({ id: 'DiscardResult' });
/** `next_cursor`: where the next call of this redrive goes on, null at the end. `unfit`: those of `remaining` that cannot be redriven as they are. */
export const redriveResultSchema = discardResultSchema.extend({ unfit: z.int(), next_cursor: z.string().nullable() }).meta({ id: 'RedriveResult' });

/** What is to be redriven instead of what came: what is not named stays. Validated by the event's schema unless `force`. */
export const letterEditBodySchema = z
  .strictObject({
    key: storableString(200).optional(),
    value: z.string().max(MAX_EDITED_VALUE).optional(),
    headers: z.record(storableString(100), storableString(1_000)).meta({ propertyNames: { minLength: 1, maxLength: 100, pattern: String.raw`^[^\x00]*$` } }).optional(),
    force: z.boolean().default(false),
    reason: storableString(MAX_REASON),
  })
  .refine(({ key, value, headers }) => key !== undefined || value !== undefined || headers !== undefined, 'nothing is edited')
  .meta({ anyOf: [{ required: ['key'] }, { required: ['value'] }, { required: ['headers'] }] });
export type LetterEdit = Omit<z.infer<typeof letterEditBodySchema>, 'reason'>;
