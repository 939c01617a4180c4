import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { textSchema, storableString } from '../../protocol/primitives.ts';

/** One message of the file. `line` counts from 1; `sent_at` is the local time as written, to the minute. */
export interface IrcMessage {
  readonly line: number;
  readonly sent_at: string;
  readonly author: string;
  readonly text: string;
}
/** A line that no channel could take, and why. */
export interface LineFault {
  readonly line: number;
  readonly reason: string;
}
export type IrcLine = IrcMessage | LineFault;
export const isFault = (line: IrcLine): line is LineFault => 'reason' in line;

/** What one pass over the file tells: its lines in total, those that are messages, and up to `MAX_FAULTS` of the others. */
export interface IrcSurvey {
  /** Of the content, not of its compression: 16 hex digits. */
  readonly identity: string;
  readonly lines: number;
  readonly messages: number;
  readonly faulty: number;
  readonly faults: readonly LineFault[];
}
const MAX_FAULTS = 20;
/** A longer line means that this is no file of messages. */
const MAX_LINE_BYTES = 1024 * 1024;

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/;
const authorSchema = storableString(80);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The id under which a line is posted: the same file gives the same ids, so a second run adds nothing (G2). */
export const clientMsgId = (identity: string, line: number): string => `irc-${identity}-${line}`;

/** The line of `clientMsgId`, or null for the id of another file or of no file. */
export function lineOfClientMsgId(identity: string, id: string): number | null {
  const prefix = `irc-${identity}-`;
  const line = id.startsWith(prefix) ? id.slice(prefix.length) : '';
  return /^[1-9]\d*$/.test(line) ? Number(line) : null;
}

export function parseIrcLine(bytes: Uint8Array, line: number): IrcLine {
  const raw = decode(bytes);
  if (raw === null) return { line, reason: 'is not UTF-8' };
  const [sent_at = '', author = '', text = '', ...more] = raw.split('\t');
  if (!raw.includes('\t') || more.length > 0) return { line, reason: 'has not three tab-separated fields' };
  const reason = faultOf(sent_at, author, text);
  return reason === null ? { line, sent_at, author, text } : { line, reason };
}

function decode(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

function faultOf(sentAt: string, author: string, text: string): string | null {
  if (!TIME.test(sentAt)) return 'has a time that is not YYYY-MM-DDTHH:MM';
  const issue = authorSchema.safeParse(author).error?.issues[0];
  if (issue) return `has a nickname no message can carry: ${issue.message}`;
  const textIssue = textSchema.safeParse(text).error?.issues[0];
  return textIssue ? `has a text no message can carry: ${textIssue.message}` : null;
}

/** The lines of a plain or gzipped file, in order, in little memory. */
export async function* readIrcFile(path: string): AsyncGenerator<IrcLine> {
  let line = 0;
  for await (const bytes of splitLines(fileBytes(path))) yield parseIrcLine(bytes, ++line);
}

/** The messages of the file from `after` on, up to `limit` lines of it. */
export async function* readIrcMessages(path: string, after: number, limit: number): AsyncGenerator<IrcMessage> {
  for await (const line of readIrcFile(path)) {
    if (line.line > limit) return;
    if (line.line > after && !isFault(line)) yield line;
  }
}

export async function surveyIrcFile(path: string, limit = Infinity): Promise<IrcSurvey> {
  const hash = createHash('sha256');
  const faults: LineFault[] = [];
  let [lines, faulty, total] = [0, 0, 0];
  for await (const bytes of splitLines(fileBytes(path))) {
    hash.update(bytes).update('\n');
    if (++total > limit) continue;
    lines += 1;
    const parsed = parseIrcLine(bytes, lines);
    if (!isFault(parsed)) continue;
    faulty += 1;
    if (faults.length < MAX_FAULTS) faults.push(parsed);
  }
  return { identity: hash.digest('hex').slice(0, 16), lines, messages: lines - faulty, faulty, faults };
}

function fileBytes(path: string): AsyncIterable<Buffer> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  if (!path.endsWith('.gz')) return file;
  const unzipped = createGunzip();
  file.once('error', (error) => unzipped.destroy(error));
  return file.pipe(unzipped);
}

/** Splits at line feeds only: other line separators of Unicode occur inside messages. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (rest.length > MAX_LINE_BYTES) throw new Error(`a line is longer than ${MAX_LINE_BYTES} bytes: not a file of messages`);
  }
  if (rest.length > 0) yield rest;
}
