import { createReadStream } from 'node:fs';
import { appendFile, open, stat, truncate } from 'node:fs/promises';
import { splitLines } from '../import/irc-file.ts';
import { ExportCheck } from './check.ts';

/** Where the file of an export ends for good. */
export interface Kept {
  readonly check: ExportCheck;
  /** To go on with; undefined: from the start; null: it is whole. */
  readonly cursor: string | null | undefined;
}

/** What a file has of an export: all pages that are whole and right. What follows them, as a death leaves it, is cut off. */
export async function openExportFile(path: string): Promise<Kept> {
  const size = await stat(path).then((found) => found.size, () => null);
  const check = new ExportCheck();
  if (size === null) return { check, cursor: undefined };
  let [bytes, cursor]: [number, string | null | undefined] = [0, undefined];
  for await (const page of pagesOf(createReadStream(path), check)) {
    bytes += Buffer.byteLength(page.text);
    ({ cursor } = page);
  }
  if (bytes === 0 && size > 0 && !(await beginsLikeOne(path))) throw new Error(`${path} is there, and is no export: name another file`);
  check.drop();
  // The last line may be whole but for its end.
  await (bytes > size ? appendFile(path, '\n') : truncate(path, bytes));
  return { check, cursor };
}

/** Whole pages, up to the first line that is none. */
async function* pagesOf(chunks: AsyncIterable<Uint8Array>, check: ExportCheck) {
  for await (const line of splitLines(chunks)) {
    const page = takeOrNull(check, Buffer.from(line).toString('utf8'));
    if (page === 'torn') return;
    if (page !== null) yield page;
  }
}

function takeOrNull(check: ExportCheck, line: string): ReturnType<ExportCheck['take']> | 'torn' {
  try {
    return check.take(line);
  } catch {
    return 'torn';
  }
}

export const appendPage = (path: string, text: string): Promise<void> => appendFile(path, text);

const BEGINNING = '{"section":"export"';

/** Cut off within its first page it is one all the same. */
async function beginsLikeOne(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(BEGINNING.length), 0, BEGINNING.length, 0);
    return BEGINNING.startsWith(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await file.close();
  }
}
