import { z } from 'zod';
import { fileSchema } from './files.ts';
import { idSchema, timeSchema } from './primitives.ts';

/**
 * `event_log.data` of `file.events`, keyed by the file's id. Each carries the whole file as the change left it, so that the last one read
 * is enough. `version` rises by one with each change of a file, from 1.
 */
const change = { id: idSchema, at: timeSchema, actor_id: idSchema, version: z.int().min(1), file: fileSchema };

export const fileEventSchema = z.discriminatedUnion('type', [
  /** Its content is stored whole, and nobody has looked at it. */
  z.strictObject({ ...change, type: z.literal('file.uploaded') }),
  /** It was scanned, or has thumbnails. The actor is its uploader. */
  z.strictObject({ ...change, type: z.literal('file.updated') }),
  /** Nobody can read it any more; its content is removed from the store soon after. `file` is its last state. */
  z.strictObject({ ...change, type: z.literal('file.deleted') }),
]);
export type FileEvent = z.infer<typeof fileEventSchema>;
