import { buffer } from 'node:stream/consumers';
import { encodeThumbnails } from './thumbnail-output.ts';
import { makeThumbnails } from './thumbnails.ts';

/** A process for one image, on standard input: its thumbnails go to standard output. What decodes bytes of strangers shares no memory with anything. */
try {
  const output = encodeThumbnails(await makeThumbnails(await buffer(process.stdin)));
  process.stdout.write(output);
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message.slice(0, 500) : 'no thumbnails');
  process.exitCode = 1;
}
