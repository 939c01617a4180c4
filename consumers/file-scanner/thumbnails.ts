import sharp from 'sharp';
import type { MadeThumbnail } from './thumbnail-output.ts';
import { THUMBNAIL_SIZES } from './thumbnail-output.ts';

/** Largest picture that is decoded, in pixels: 50 million take 200 MB. Anything past it gets no thumbnails. */
const MAX_PIXELS = 50_000_000;
/** Loaders of what people share as pictures. All others stay shut: SVG, PDF and their like are programs, and old formats have old decoders. */
const LOADERS = ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer', 'VipsForeignLoadNsgifBuffer', 'VipsForeignLoadHeifBuffer'];

sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: LOADERS });
sharp.cache(false);
sharp.concurrency(1);

/**
 * Pictures of an image in WebP, smallest first: upright, the first frame of an animation, in sRGB, without metadata. None is larger than the image,
 * and the list ends with the first size that the image fits in.
 * @throws where the image is broken, of another kind, or too large.
 */
export async function makeThumbnails(image: Uint8Array): Promise<MadeThumbnail[]> {
  const base = await decode(image);
  const longest = Math.max(base.info.width, base.info.height);
  const sizes = THUMBNAIL_SIZES.filter((_, n) => n === 0 || (THUMBNAIL_SIZES[n - 1] ?? 0) < longest);
  const made: MadeThumbnail[] = [];
  for (const size of sizes) made.push(await shrink(base, size));
  return made;
}

type Decoded = Awaited<ReturnType<typeof decode>>;

/** The image is decoded once, at the largest size that is wanted, and what it holds beside pixels is left behind. */
async function decode(image: Uint8Array) {
  const most = THUMBNAIL_SIZES.at(-1) ?? 1;
  return sharp(image, { limitInputPixels: MAX_PIXELS, failOn: 'error', pages: 1 })
    .autoOrient()
    .toColourspace('srgb')
    .resize({ width: most, height: most, fit: 'inside', withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
}

async function shrink({ data, info }: Decoded, size: number): Promise<MadeThumbnail> {
  const { width, height, channels } = info;
  const { data: bytes, info: made } = await sharp(data, { raw: { width, height, channels } })
    .resize({ width: size, height: size, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 78, effort: 3 })
    .toBuffer({ resolveWithObject: true });
  return { size, width: made.width, height: made.height, bytes };
}
