import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import type { z } from 'zod';
import { jsonFault } from './json-fault.ts';

/** What a zip may hold. Past it, it is refused before anything of it is read (G8). */
export const MAX_ENTRIES = 200_000;
export const MAX_JSON_BYTES = 64 * 1024 * 1024;
export const MAX_TOTAL_BYTES = 16 * 1024 ** 3;

/** Of a file of the archive, where it is wrong. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  constructor(file: string, what: string, cause?: unknown) {
    super(`${file}: ${what}`, { cause });
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A zip whose files are read one at a time. Nothing of it is ever written to a disk. Refused are: a name that leads out of the archive, or is there twice; what is encrypted, or packed in an
 * unknown way; more than it may hold, as it says itself, and a file that unpacks to another size or checksum than it says.
 */
export class Archive {
  readonly #zip: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;

  static async open(path: string): Promise<Archive> {
    const zip = await openPromise(path, { autoClose: false, lazyEntries: true, strictFileNames: true }).catch((cause: unknown) => {
      throw new ArchiveError(path, `is no zip that can be read (${messageOf(cause)})`, cause);
    });
    try {
      return new Archive(zip, await survey(path, zip));
    } catch (error) {
      zip.close();
      throw error;
    }
  }

  private constructor(zip: ZipFile, entries: ReadonlyMap<string, Entry>) {
    this.#zip = zip;
    this.#entries = entries;
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Throws an `ArchiveError` with the file and the place in it for what is no JSON, or not of this schema. */
  async read<T>(name: string, schema: z.ZodType<T>): Promise<T> {
    const parsed = schema.safeParse(parseJson(name, await this.#text(name)));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new ArchiveError(name, `at /${(issue?.path ?? []).join('/')}: ${issue?.message ?? 'is not what Slack exports'}`);
  }

  async #text(name: string): Promise<string> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new ArchiveError(name, 'is not in the archive');
    try {
      const chunks: Buffer[] = [];
      // Ends with an error as soon as there are more bytes than the entry says.
      for await (const chunk of await this.#zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      if (crc32(bytes) !== entry.crc32) throw new Error('its checksum is another');
      return utf8.decode(bytes);
    } catch (cause) {
      throw new ArchiveError(name, `cannot be read (${messageOf(cause)})`, cause);
    }
  }

  close(): void {
    this.#zip.close();
  }
}

async function survey(path: string, zip: ZipFile): Promise<Map<string, Entry>> {
  if (zip.entryCount > MAX_ENTRIES) throw new ArchiveError(path, `has ${zip.entryCount} files, more than ${MAX_ENTRIES}`);
  const entries = new Map<string, Entry>();
  let total = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.endsWith('/')) continue;
      refuse(entry, entries.has(entry.fileName));
      total += entry.uncompressedSize;
      if (total > MAX_TOTAL_BYTES) throw new ArchiveError(path, `unpacks to more than ${MAX_TOTAL_BYTES} bytes`);
      entries.set(entry.fileName, entry);
    }
  } catch (cause) {
    throw cause instanceof ArchiveError ? cause : new ArchiveError(path, `is no zip that can be read (${messageOf(cause)})`, cause);
  }
  return entries;
}

function refuse(entry: Entry, isTwice: boolean): void {
  if (isTwice) throw new ArchiveError(entry.fileName, 'is in the archive twice');
  if (entry.isEncrypted() || !entry.canDecodeFileData()) throw new ArchiveError(entry.fileName, 'is encrypted, or packed in an unknown way');
  if (entry.uncompressedSize > MAX_JSON_BYTES) throw new ArchiveError(entry.fileName, `unpacks to ${entry.uncompressedSize} bytes, more than ${MAX_JSON_BYTES}`);
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ArchiveError(name, `${jsonFault(text)} is no JSON`, cause);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
