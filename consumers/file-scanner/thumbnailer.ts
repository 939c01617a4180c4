import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { bulkhead } from 'cockatiel';
import { InfrastructureError } from '../runtime/classify.ts';
import { decodeThumbnails, type MadeThumbnail, MAX_OUTPUT_BYTES } from './thumbnail-output.ts';

/** Kinds of files that pictures are made of, as the Worker has found them by their first bytes. */
const PICTURES = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif']);
/** Largest that is read whole into memory, in bytes: other images have no thumbnails. */
const MAX_IMAGE_BYTES = 32 * 1024 * 1024;
/** Longest an image may take, in milliseconds. */
const IMAGE_MS = 30_000;
/** At a time: each holds an image and a process of up to 300 MB. */
const AT_ONCE = 1;
const MAX_WAITING = 100;
const HEAP_MB = 64;

export const hasPicture = (file: { readonly mediaType: string; readonly size: number }): boolean => PICTURES.has(file.mediaType) && file.size <= MAX_IMAGE_BYTES;

export interface Thumbnailer {
  /**
   * Thumbnails of what `read` brings, which is asked for when it is its turn; null where the image yields none, for whatever reason of its own.
   * @throws what `read` throws, InfrastructureError where no process can be had, and the reason of `signal`.
   */
  make(read: () => Promise<Buffer>, signal: AbortSignal): Promise<MadeThumbnail[] | null>;
}

interface ThumbnailerOptions {
  readonly main?: string;
  readonly timeoutMs?: number;
}

/** A process for each image, without this one's environment: a bomb, a hang or a crash ends that process, and nothing else. */
export function createThumbnailer({ main = join(import.meta.dirname, 'thumbnail-main.ts'), timeoutMs = IMAGE_MS }: ThumbnailerOptions = {}): Thumbnailer {
  const turns = bulkhead(AT_ONCE, MAX_WAITING);
  return {
    make: (read, signal) =>
      turns.execute(async () => {
        signal.throwIfAborted();
        const image = await read();
        const output = await outputOf(startChild(main), image, { signal, timeoutMs });
        return output === null ? null : soundOrNull(output);
      }),
  };
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

const startChild = (main: string): Child =>
  spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, main], { env: {}, stdio: ['pipe', 'pipe', 'ignore'] });

/** Null where it fails, says too much or takes too long. */
async function outputOf(child: Child, image: Buffer, { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number }): Promise<Buffer | null> {
  const end = (): unknown => child.kill('SIGKILL');
  const timer = setTimeout(end, timeoutMs);
  signal.addEventListener('abort', end);
  try {
    // It may end before it has read everything.
    child.stdin.on('error', () => {}).end(image);
    const [output, [code]] = await Promise.all([gather(child), once(child, 'close')]);
    signal.throwIfAborted();
    return code === 0 ? output : null;
  } catch (cause) {
    signal.throwIfAborted();
    throw new InfrastructureError('no process for an image', { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    end();
  }
}

async function gather(child: Child): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of child.stdout as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > MAX_OUTPUT_BYTES) child.kill('SIGKILL');
    else pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function soundOrNull(output: Buffer): MadeThumbnail[] | null {
  try {
    return decodeThumbnails(output);
  } catch {
    return null;
  }
}
