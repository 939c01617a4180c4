import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeThumbnails, encodeThumbnails, type MadeThumbnail } from './thumbnail-output.ts';
import { createThumbnailer, hasPicture } from './thumbnailer.ts';

/** A process an image, on a machine that may be busy. */
const PATIENT = { timeout: 60_000 };
const never = new AbortController().signal;
const thumbnailer = createThumbnailer();
const make = (image: Buffer): Promise<MadeThumbnail[] | null> => thumbnailer.make(async () => image, never);
const shapes = (made: readonly MadeThumbnail[] | null) => made?.map(({ size, width, height }) => [size, width, height]);
const plain = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#c03020' } });

/** The colour of one pixel, as fractions of the picture. */
async function colourAt(image: Uint8Array, x: number, y: number): Promise<number[]> {
  const { data, info } = await sharp(image).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const from = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels;
  return [...data.subarray(from, from + 3)];
}
const isNear = (colour: readonly number[], wanted: readonly number[]): boolean => colour.every((part, n) => Math.abs(part - (wanted[n] ?? 0)) < 40);
const [RED, BLUE] = [[255, 0, 0], [0, 0, 255]];

/** Left half red, right half blue. */
const halves = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#0000ff' } }).composite([{ input: { create: { width: width / 2, height, channels: 3, background: '#ff0000' } }, left: 0, top: 0 }]);

describe('thumbnails, each image in a process of its own', PATIENT, () => {
  it.each(['jpeg', 'png', 'webp', 'gif', 'avif'] as const)('are made of %s, in WebP, smallest first', async (format) => {
    const made = await make(await plain(1_600, 800).toFormat(format).toBuffer());
    expect(shapes(made)).toEqual([[160, 160, 80], [480, 480, 240], [1_280, 1_280, 640]]);
    for (const { bytes, width, height } of made ?? []) expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width, height });
  });

  it('are never larger than the image, and end with the first size that it fits in', async () => {
    expect(shapes(await make(await plain(100, 40).png().toBuffer()))).toEqual([[160, 100, 40]]);
    expect(shapes(await make(await plain(160, 160).png().toBuffer()))).toEqual([[160, 160, 160]]);
    expect(shapes(await make(await plain(200, 300).png().toBuffer()))).toEqual([[160, 107, 160], [480, 200, 300]]);
    expect(shapes(await make(await plain(1, 4_000).png().toBuffer()))).toEqual([[160, 1, 160], [480, 1, 480], [1_280, 1, 1_280]]);
  });

  it('are upright, and say nothing of where and by whom the image was taken', async () => {
    const metadata = { IFD0: { Artist: 'Ada', Copyright: 'secret' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 30/1 0/1' } };
    // Orientation 6: to be turned clockwise by a quarter, so that the left comes to the top.
    const image = await halves(400, 200).withMetadata({ orientation: 6 }).withExifMerge(metadata).jpeg().toBuffer();
    expect(image.includes('secret')).toBe(true);
    const made = await make(image);
    expect(shapes(made)).toEqual([[160, 80, 160], [480, 200, 400]]);
    for (const { bytes } of made ?? []) {
      expect(isNear(await colourAt(bytes, 0.5, 0.1), RED) && isNear(await colourAt(bytes, 0.5, 0.9), BLUE)).toBe(true);
      const { exif, xmp, icc, orientation } = await sharp(bytes).metadata();
      expect({ exif, xmp, icc, orientation }).toEqual({ exif: undefined, xmp: undefined, icc: undefined, orientation: undefined });
      expect(bytes.includes('Ada')).toBe(false);
    }
  });

  it('are of the first frame of an animation', async () => {
    const [red, blue] = await Promise.all(['#ff0000', '#0000ff'].map((background) => sharp({ create: { width: 200, height: 100, channels: 3, background } }).png().toBuffer()));
    const frames = [red ?? Buffer.alloc(0), blue ?? Buffer.alloc(0), blue ?? Buffer.alloc(0)];
    for (const format of ['gif', 'webp'] as const) {
      const made = await make(await sharp(frames, { join: { animated: true } }).toFormat(format).toBuffer());
      expect(shapes(made)).toEqual([[160, 160, 80], [480, 200, 100]]);
      expect((await sharp(made?.[0]?.bytes).metadata()).pages).toBeUndefined();
      expect(isNear(await colourAt(made?.[0]?.bytes ?? Buffer.alloc(0), 0.5, 0.5), RED)).toBe(true);
    }
  });

  it('keep what is transparent so', async () => {
    const made = await make(await sharp({ create: { width: 300, height: 300, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } } }).png().toBuffer());
    expect((await sharp(made?.[0]?.bytes).stats()).isOpaque).toBe(false);
  });
});

describe('an image that yields no thumbnails', PATIENT, () => {
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="500" height="500"><rect width="500" height="500"/></svg>');

  it('is one that is broken, cut off, of no kind, or of a kind that is a program', async () => {
    const jpeg = await sharp(await noise(600, 400)).jpeg().toBuffer();
    const tiff = await plain(300, 300).tiff().toBuffer();
    const cases = [Buffer.alloc(0), Buffer.from('no image'), jpeg.subarray(0, jpeg.length / 2), svg, tiff, Buffer.concat([jpeg.subarray(0, 20), svg])];
    expect(await Promise.all(cases.map(make))).toEqual(cases.map(() => null));
  });

  it('is a bomb: much in little, as PNG, GIF and WebP (G8)', async () => {
    const bombs = [pngBomb(60_000, 60_000), pngBomb(10_000, 10_000), gifBomb(65_535, 65_535)];
    expect(Math.max(...bombs.map(({ length }) => length))).toBeLessThan(1024 * 1024);
    const begun = performance.now();
    expect(await Promise.all(bombs.map(make))).toEqual([null, null, null]);
    expect(performance.now() - begun).toBeLessThan(20_000);
  });
});

describe('the process of an image', PATIENT, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colink-thumbnails-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function byProgram(source: string, timeoutMs = 20_000): Promise<MadeThumbnail[] | null> {
    const main = join(folder, 'main.mjs');
    await writeFile(main, source);
    return createThumbnailer({ main, timeoutMs }).make(async () => Buffer.alloc(4 * 1024 * 1024, 1), never);
  }

  it('is ended where it hangs, speaks without end, or says what it may not: the image has no thumbnails', async () => {
    expect(await byProgram('setInterval(() => {}, 1000)', 500)).toBeNull();
    expect(await byProgram('const fill = () => { while (process.stdout.write(Buffer.alloc(65536))); process.stdout.once("drain", fill); }; fill()')).toBeNull();
    expect(await byProgram('process.kill(process.pid, "SIGSEGV")')).toBeNull();
    expect(await byProgram('console.log(JSON.stringify({ thumbnails: [{ size: 160, width: 160, height: 160, bytes: 5 }] }) + "\\nhello")')).toBeNull();
    expect(await byProgram('process.exit(0)')).toBeNull();
  });

  it('has none of this one’s secrets', async () => {
    process.env['COLINK_TEST_SECRET'] = 'secret';
    const [image] = (await make(await plain(100, 100).png().toBuffer())) ?? [];
    const source = `process.stdout.write(Buffer.from(process.env.COLINK_TEST_SECRET ? '' : ${JSON.stringify(encodeThumbnails(image ? [image] : []).toString('base64'))}, 'base64'))`;
    expect(shapes(await byProgram(source))).toEqual([[160, 100, 100]]);
    delete process.env['COLINK_TEST_SECRET'];
  });

  it('ends with whoever asked for it', async () => {
    const stop = new AbortController();
    const main = join(folder, 'hang.mjs');
    await writeFile(main, 'setInterval(() => {}, 1000)');
    const made = createThumbnailer({ main }).make(async () => Buffer.alloc(10), stop.signal);
    setTimeout(() => stop.abort(new Error('over')), 100);
    await expect(made).rejects.toThrow('over');
  });
});

describe('what is made, on its way', () => {
  const webp = Buffer.concat([Buffer.from('RIFF'), Buffer.alloc(4), Buffer.from('WEBP'), Buffer.alloc(20)]);
  const made = { size: 480, width: 300, height: 480, bytes: webp };

  it('arrives as it was', () => {
    expect(decodeThumbnails(encodeThumbnails([{ ...made, size: 160, width: 100, height: 160 }, made])).map(({ size, bytes }) => [size, bytes.length])).toEqual([[160, 32], [480, 32]]);
    expect(decodeThumbnails(encodeThumbnails([]))).toEqual([]);
  });

  it.each([
    ['a size there is not', { ...made, size: 481 }],
    ['larger than its size', { ...made, width: 481 }],
    ['no WebP', { ...made, bytes: Buffer.alloc(32) }],
    ['nothing', { ...made, bytes: Buffer.alloc(0) }],
  ])('is refused where it is %s', (_, bad) => {
    expect(() => decodeThumbnails(encodeThumbnails([bad]))).toThrow(Error);
  });

  it('is refused with too little or too much behind it, and twice in one size', () => {
    const output = encodeThumbnails([made]);
    expect(() => decodeThumbnails(output.subarray(0, -1))).toThrow(Error);
    expect(() => decodeThumbnails(Buffer.concat([output, Buffer.alloc(1)]))).toThrow(Error);
    expect(() => decodeThumbnails(encodeThumbnails([made, made]))).toThrow(Error);
    expect(() => decodeThumbnails(Buffer.alloc(0))).toThrow(Error);
  });
});

it('pictures are made of raster images of a bounded size, and of nothing else', () => {
  expect(['image/jpeg', 'image/svg+xml', 'application/pdf', 'text/html'].map((mediaType) => hasPicture({ mediaType, size: 1_000 }))).toEqual([true, false, false, false]);
  expect(hasPicture({ mediaType: 'image/jpeg', size: 33 * 1024 * 1024 })).toBe(false);
});

async function noise(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 60 } } }).png().toBuffer();
}

const CRC_TABLE = Array.from({ length: 256 }, (_, n) => Array.from({ length: 8 }).reduce<number>((c) => (c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1), n));
const crc = (bytes: Buffer): number => (bytes.reduce((c, byte) => (CRC_TABLE[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;

function pngChunk(type: string, data: Buffer): Buffer {
  const [body, frame] = [Buffer.concat([Buffer.from(type), data]), Buffer.alloc(8)];
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** One colour, one bit a pixel: as many as a header may say, in a few kilobytes. Of the pixels only the first megabytes are there. */
function pngBomb(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.alloc(Math.min(64 * 1024 * 1024, height * (1 + Math.ceil(width / 8)))), { level: 9 });
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), pngChunk('IHDR', header), pngChunk('IDAT', pixels), pngChunk('IEND', Buffer.alloc(0))]);
}

function gifBomb(width: number, height: number): Buffer {
  const screen = Buffer.alloc(7);
  screen.writeUInt16LE(width, 0);
  screen.writeUInt16LE(height, 2);
  screen[4] = 0x80;
  const image = Buffer.alloc(10);
  image[0] = 0x2c;
  image.writeUInt16LE(width, 5);
  image.writeUInt16LE(height, 7);
  return Buffer.concat([Buffer.from('GIF89a'), screen, Buffer.from([0, 0, 0, 255, 255, 255]), image, Buffer.from([2, 2, 0x4c, 0x01, 0, 0x3b])]);
}
