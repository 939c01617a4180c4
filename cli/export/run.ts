import { setTimeout as sleep } from 'node:timers/promises';
import { problemSchema } from '../../protocol/errors.ts';
import { retryAfterSeconds, retryDelay } from '../import/api.ts';
import { splitLines } from '../import/irc-file.ts';
import type { CheckedPage, ExportCheck } from './check.ts';
import { appendPage, openExportFile } from './file.ts';

/** How often in a row an export is gone on with that comes no further. */
const MAX_ATTEMPTS = 10;

export interface ExportOptions {
  readonly url: string;
  readonly token: string;
  readonly to: string;
  readonly includePrivate: boolean;
  readonly note: (line: string) => void;
  readonly random?: () => number;
}

/** What the API says no to, for good. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** Writes an export into a file, going on behind what it has, across whatever breaks off, until it is whole. Each page is checked before it is written. */
export async function runExport(options: ExportOptions): Promise<ExportCheck> {
  const { note, random = Math.random } = options;
  const kept = await openExportFile(options.to);
  if (typeof kept.cursor === 'string') note('going on behind the last checkpoint');
  let place = kept.cursor;
  let failures = 0;
  while (place !== null) {
    const { cursor, broken } = await readPart(options, place, kept.check);
    failures = cursor === place ? failures + 1 : 0;
    place = cursor;
    if (place === null) break;
    kept.check.drop();
    if (failures >= MAX_ATTEMPTS) throw broken ?? new Error('the API sends nothing more, and no end');
    if (broken === null) continue;
    const wait = retryDelay(Math.max(1, failures), broken instanceof BusyError ? broken.retryAfter : null, random);
    note(`${broken.message}; again in ${(wait / 1_000).toFixed(1)} s`);
    await sleep(wait);
  }
  return kept.check;
}

/** Where it has come to (as `Kept`), and what broke it off. */
interface Part {
  readonly cursor: string | null | undefined;
  readonly broken: Error | null;
}

class BusyError extends Error {
  override readonly name = 'BusyError';
  readonly retryAfter: number | null;
  constructor(status: number, retryAfter: number | null) {
    super(`the API answers ${status}`);
    this.retryAfter = retryAfter;
  }
}

/** One answer, from its place on. Throws what the API refuses, for good. */
async function readPart(options: ExportOptions, from: string | undefined, check: ExportCheck): Promise<Part> {
  let cursor: Part['cursor'] = from;
  try {
    for await (const page of pagesFrom(options, from, check)) {
      await appendPage(options.to, page.text);
      ({ cursor } = page);
    }
    return { cursor, broken: null };
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    return { cursor, broken: error instanceof Error ? error : new Error(String(error)) };
  }
}

async function* pagesFrom({ url, token, includePrivate }: ExportOptions, from: string | undefined, check: ExportCheck): AsyncGenerator<CheckedPage> {
  const query = new URLSearchParams({ ...(from === undefined ? includePrivate && { include: 'private' } : { after: from }) });
  const response = await fetch(new URL(`/v1/admin/export?${query}`, url), { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok || response.body === null) throw await refusalOf(response);
  for await (const line of splitLines(response.body)) {
    const page = check.take(Buffer.from(line).toString('utf8'));
    if (page !== null) yield page;
  }
}

async function refusalOf(response: Response): Promise<Error> {
  if (response.status === 429 || response.status >= 500) return new BusyError(response.status, retryAfterSeconds(response.headers.get('retry-after')));
  const problem = problemSchema.safeParse(await response.json().catch(() => null)).data;
  return new RefusedError(problem === undefined ? `the API answered ${response.status}` : `${problem.status} ${problem.code}: ${problem.detail ?? problem.title}`);
}
