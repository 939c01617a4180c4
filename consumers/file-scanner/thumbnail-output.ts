import { z } from 'zod';
import { thumbnailSchema } from '../../protocol/files.ts';
import { MAX_THUMBNAIL_BYTES } from '../../protocol/limits.ts';

/** Longer sides of thumbnails, in pixels, rising: a line of a list, a message, a whole screen. */
export const THUMBNAIL_SIZES: readonly number[] = [160, 480, 1_280];

/** An image in WebP that fits in a square of `size` pixels; `width` and `height` are what it has. */
export interface MadeThumbnail {
  readonly size: number;
  readonly width: number;
  readonly height: number;
  readonly bytes: Buffer;
}

/** Most bytes that the process which makes them may say. */
export const MAX_OUTPUT_BYTES = THUMBNAIL_SIZES.length * MAX_THUMBNAIL_BYTES + 1_024;

const lineSchema = z.strictObject({ thumbnails: z.array(thumbnailSchema.extend({ bytes: z.int().min(1).max(MAX_THUMBNAIL_BYTES) })).max(THUMBNAIL_SIZES.length) });

/** A line of JSON that says what follows, then the images, one behind the other. */
export function encodeThumbnails(made: readonly MadeThumbnail[]): Buffer {
  const thumbnails = made.map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes.byteLength }));
  return Buffer.concat([Buffer.from(`${JSON.stringify({ thumbnails })}\n`), ...made.map(({ bytes }) => bytes)]);
}

/**
 * The process that decodes images may be in their hands, so its output is checked as if a stranger had sent it.
 * @throws where it is not what `encodeThumbnails` makes.
 */
export function decodeThumbnails(output: Buffer): MadeThumbnail[] {
  const end = output.indexOf('\n');
  const { thumbnails } = lineSchema.parse(JSON.parse(output.subarray(0, Math.max(end, 0)).toString()));
  let from = end + 1;
  const made = thumbnails.map(({ bytes, ...rest }) => {
    const image = { ...rest, bytes: output.subarray(from, (from += bytes)) };
    if (!isSound(image, bytes)) throw new Error('a thumbnail is not what it says');
    return image;
  });
  if (from !== output.length || new Set(made.map(({ size }) => size)).size !== made.length) throw new Error('the thumbnails are not what they say');
  return made;
}

function isSound({ size, width, height, bytes }: MadeThumbnail, announced: number): boolean {
  const isWebp = bytes.subarray(0, 4).toString() === 'RIFF' && bytes.subarray(8, 12).toString() === 'WEBP';
  return THUMBNAIL_SIZES.includes(size) && width <= size && height <= size && bytes.byteLength === announced && isWebp;
}
