import { z } from 'zod';
import { MAX_TEXT } from './limits.ts';
import { counterSchema, fileIdsSchema, idSchema, storableText, timeSchema } from './primitives.ts';

/** Drafts of a user (`/v1/me/drafts`): at most one for each channel, and for each thread. */

/** Drafts of one user. One more: 409. */
export const MAX_DRAFTS = 1_000;

export const draftSchema = z
  .strictObject({
    channel_id: idSchema,
    /** The root of the thread in which it would be a reply. */
    thread_id: idSchema.nullable(),
    text: z.string(),
    file_ids: z.array(idSchema),
    /** Rises with every save, also when the draft was deleted in between; it is the `ETag`. */
    version: counterSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'Draft' });
export type Draft = z.infer<typeof draftSchema>;
export const draftPageSchema = z.strictObject({ data: z.array(draftSchema), next_cursor: z.string().nullable() }).meta({ id: 'DraftPage' });
export type DraftPage = z.infer<typeof draftPageSchema>;

/** Blank where it has files only. */
export const draftBodySchema = z
  .strictObject({ text: storableText(MAX_TEXT), file_ids: fileIdsSchema.optional() })
  .refine(({ text, file_ids }) => text !== '' || file_ids !== undefined, { message: 'must have text or files; an empty draft is deleted', path: ['text'] })
  .meta({ anyOf: [{ properties: { text: { minLength: 1 } } }, { required: ['file_ids'] }] });
export type DraftBody = z.infer<typeof draftBodySchema>;
