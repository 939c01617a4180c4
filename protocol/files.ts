import { z } from 'zod';
import { MAX_FILE_NAME } from './limits.ts';
import { idSchema, storableString, timeSchema } from './primitives.ts';

/**
 * `pending_scan`: its content is with the scanner and served to nobody. `clean`: it may be downloaded. `infected`: it never will be.
 */
export const fileStatusSchema = z.enum(['pending_scan', 'clean', 'infected']);
export type FileStatus = z.infer<typeof fileStatusSchema>;

/** The longer side of a thumbnail, in pixels. */
export const thumbnailSizeSchema = z.int().min(1).max(4_096);

/** A picture of a clean file (image/webp), asked for by its `size`; `width` and `height` are what it really has, in pixels. */
export const thumbnailSchema = z.strictObject({ size: thumbnailSizeSchema, width: thumbnailSizeSchema, height: thumbnailSizeSchema });
export type Thumbnail = z.infer<typeof thumbnailSchema>;

/** `type/subtype` in lower case, without parameters. */
export const mediaTypeSchema = z
  .string()
  .max(127)
  .regex(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/, 'must be a media type in lower case, without parameters');

const FORBIDDEN = String.raw`\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069/\\`;
const HAS_FORBIDDEN = new RegExp(`[${FORBIDDEN}]`);
/** Names are shown to people: none may hide what it ends in (control characters, marks that turn the direction of text) or be a path. */
export const fileNameSchema = storableString(MAX_FILE_NAME)
  .refine((name) => !HAS_FORBIDDEN.test(name), 'must have no slash, control character or mark of direction')
  .refine((name) => name.trim() === name && name !== '.' && name !== '..', 'must be a name')
  .meta({ pattern: `^(?!\\.{1,2}$)[^\\s${FORBIDDEN}](?:[^${FORBIDDEN}]*[^\\s${FORBIDDEN}])?$` });

/** A file of a channel. `size` in bytes; `sha256` of the content, 64 hexadecimal digits in lower case. */
export const fileSchema = z
  .strictObject({
    id: idSchema,
    channel_id: idSchema,
    uploader_id: idSchema,
    name: fileNameSchema,
    media_type: mediaTypeSchema,
    size: z.int().min(1),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    status: fileStatusSchema,
    /** None before the file is clean, and for what no picture is made of. */
    thumbnails: z.array(thumbnailSchema).max(8),
    created_at: timeSchema,
  })
  .meta({ id: 'File' });
export type FileState = z.infer<typeof fileSchema>;
