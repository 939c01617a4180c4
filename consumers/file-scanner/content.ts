import { createHash } from 'node:crypto';
import { ScanUnfinished, Unscannable } from './failures.ts';

/** What a file's content is known to be: `size` in bytes, `sha256` in hexadecimal digits. */
export interface ContentFacts {
  readonly size: number;
  readonly sha256: string;
}

/**
 * The bytes of `content` as they come, and an end only where they are those of the file: a verdict on others is none.
 * @throws Unscannable where they are not, ScanUnfinished where they end too early.
 */
export async function* checkedContent(content: AsyncIterable<Uint8Array>, { size, sha256 }: ContentFacts): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let read = 0;
  for await (const bytes of content) {
    read += bytes.byteLength;
    if (read > size) throw new Unscannable('its content is longer than it was');
    hash.update(bytes);
    yield bytes;
  }
  if (read < size) throw new ScanUnfinished('the content ended early');
  if (hash.digest('hex') !== sha256) throw new Unscannable('its content is not what it was');
}
