import { appendFile, open, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { recordsOf } from '../../db/dead-letters/view.ts';
import { readWholeLetters, type WholeLetter } from '../../db/queries/dead-letter-reads.ts';
import type { Act } from './desk.ts';
import { filterFlags, readFilter, readFlags } from './flags.ts';

/** Letters read at a time: each may hold a megabyte. */
const PAGE = 20;
const NEWLINE = 0x0a;
const CHUNK = 64 * 1024;
/** Bytes that hold the beginning of a line, with its number. */
const MOST_HEAD = 40;

const exportFlags = { ...filterFlags, output: z.string().optional(), after: z.int().min(0).default(0) };

/**
 * `colink dlq export`: one JSON document a line, in the order in which the letters came; `number` rises. With `--output` the same command goes
 * on behind the last whole line that the file has; otherwise `--after <number>` does.
 */
export const exportLetters: Act = async ({ connection: { db }, print, note, signal }, _ids, flags) => {
  const options = readFlags(exportFlags, flags);
  const { output } = options;
  const filter = readFilter(options);
  let after = output === undefined ? options.after : Math.max(options.after, await resumeAt(output));
  let exported = 0;
  while (!signal.aborted) {
    const letters = await readWholeLetters(db, filter, after, PAGE);
    if (letters.length === 0) break;
    const lines = letters.map(exportLine);
    if (output === undefined) for (const line of lines) await print(line);
    else await appendFile(output, lines.map((line) => `${line}\n`).join(''));
    exported += letters.length;
    after = letters.at(-1)?.number ?? after;
  }
  note(`${exported} exported, up to number ${after}`);
  return signal.aborted ? 130 : 0;
};

const exportLine = (letter: WholeLetter): string => JSON.stringify({ number: letter.number, ...recordsOf(letter) });

/** The number of the last whole line of an export; what is behind that line was cut off by a death, and is taken away. */
async function resumeAt(path: string): Promise<number> {
  const file = await open(path, 'a+');
  try {
    const { start, end } = await lastLine(file);
    await file.truncate(end);
    if (end === 0) return 0;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_HEAD), 0, MOST_HEAD, start);
    return numberOf(buffer.toString('latin1', 0, bytesRead), path);
  } finally {
    await file.close();
  }
}

/** Where the last whole line begins and ends, in bytes. */
async function lastLine(file: FileHandle): Promise<{ start: number; end: number }> {
  const place = { start: 0, end: 0 };
  let offset = 0;
  const bytes = Buffer.alloc(CHUNK);
  for (let read = await file.read(bytes, 0, CHUNK, 0); read.bytesRead > 0; read = await file.read(bytes, 0, CHUNK, offset)) {
    const chunk = bytes.subarray(0, read.bytesRead);
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) {
      place.start = place.end;
      place.end = offset + at + 1;
    }
    offset += chunk.length;
  }
  return place;
}

function numberOf(head: string, path: string): number {
  const [, digits] = /^\{"number":(\d{1,15}),/.exec(head) ?? [];
  if (digits === undefined) throw new Error(`${path} is not an export of dead letters`);
  return Number(digits);
}
