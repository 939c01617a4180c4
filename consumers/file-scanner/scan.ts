import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Logger } from 'pino';
import { uuidv7 } from 'uuidv7';
import type { Sql } from '../../db/client.ts';
import { claimScan, renewScan, returnScan, type ScanJob, settleScan } from '../../db/queries/file-scans.ts';
import { updateFile } from '../../db/queries/file-state.ts';
import type { Thumbnail } from '../../protocol/files.ts';
import { failureFields } from '../runtime/classify.ts';
import type { GuardedClamd } from './breaker.ts';
import type { Verdict } from './clamd.ts';
import { checkedContent } from './content.ts';
import { LeaseLost, ScanUnfinished } from './failures.ts';
import type { FileStore } from './file-store.ts';
import { afterFailure, isAway, refuseLost, type RetryPorts } from './outcome.ts';
import { hasPicture, type Thumbnailer } from './thumbnailer.ts';

/** What became of a try. `given_back`: something else was away, or the process ends; `stale`: another has the file by now. */
export type ScanOutcome = 'clean' | 'infected' | 'retried' | 'refused' | 'given_back' | 'stale';

export interface ScanPorts extends RetryPorts {
  readonly sql: Sql;
  readonly log: Logger;
  readonly clamd: GuardedClamd;
  readonly store: FileStore;
  readonly thumbnailer: Thumbnailer;
  /** Of a file that is being scanned: whoever dies with it leaves it to others after so long. Renewed at a third. Milliseconds. */
  readonly leaseMs: number;
  /** Longest a try may take as a whole, in milliseconds. */
  readonly tryMs: number;
  /** Told of every try; `seconds` is what it took. */
  readonly onScanned: (outcome: ScanOutcome, seconds: number) => void;
}

type Found = Verdict & { readonly thumbnails: readonly Thumbnail[] };

/**
 * Scans one file that is due. False: none is, or clamd is left alone. `ending` gives the file back at once.
 *
 *   claim (lease) → content → clamd → thumbnails → { verdict, files, file.updated } in one transaction
 *
 * A death at any arrow leaves the lease to run out, and the file is scanned again by whoever comes next; the verdict is given by who has the lease.
 * @throws what is away, once the file is given back.
 */
export async function scanNext(ports: ScanPorts, ending: AbortSignal): Promise<boolean> {
  if (ending.aborted || !(await ports.clamd.isReady(ending))) return false;
  const job = await claimScan(ports.sql, randomUUID(), ports.leaseMs);
  if (job === null) return false;
  const begun = performance.now();
  const outcome = await tryToScan(ports, job, ending).catch((error: unknown) => giveBack(ports, { job, ending, error }));
  ports.onScanned(outcome, (performance.now() - begun) / 1_000);
  return true;
}

async function tryToScan(ports: ScanPorts, job: ScanJob, ending: AbortSignal): Promise<ScanOutcome> {
  refuseLost(job);
  const found = await underLease(ports, job, ending, (signal) => examine(ports, job, signal));
  const isOurs = await settle(ports.sql, job, found);
  if (!isOurs) return 'stale';
  if (found.status === 'infected') ports.log.warn({ file_id: job.fileId, signature: found.signature }, 'a file is infected');
  return found.status;
}

/** Runs `work` while the lease is held; its signal aborts once that is lost, or the time is up, or the process ends; and at the end of it. */
async function underLease<T>({ sql, leaseMs, tryMs }: ScanPorts, job: ScanJob, ending: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const renewal = setInterval(() => {
    // Where Postgres is away, the lease may run out; the verdict is then refused.
    void renewScan(sql, job, leaseMs).then((isHeld) => isHeld || over.abort(new LeaseLost('another has the file')), () => {});
  }, leaseMs / 3);
  const timer = setTimeout(() => over.abort(new ScanUnfinished('the try took too long')), tryMs);
  try {
    return await work(AbortSignal.any([ending, over.signal]));
  } finally {
    clearInterval(renewal);
    clearTimeout(timer);
    over.abort(new Error('the try is over'));
  }
}

async function examine(ports: ScanPorts, job: ScanJob, signal: AbortSignal): Promise<Found> {
  const verdict = await ports.clamd.scan(checkedContent(ports.store.read(job.fileId, signal), job), signal);
  return { ...verdict, thumbnails: verdict.status === 'clean' ? await thumbnailsOf(ports, job, signal) : [] };
}

/** Made once: a file that is scanned again has the same content, and keeps those that it has. */
async function thumbnailsOf({ store, thumbnailer }: ScanPorts, job: ScanJob, signal: AbortSignal): Promise<readonly Thumbnail[]> {
  if (!hasPicture(job)) return [];
  if (job.status === 'clean' && job.thumbnails.length > 0) return job.thumbnails;
  const read = (): Promise<Buffer> => buffer(checkedContent(store.read(job.fileId, signal), job));
  const made = (await thumbnailer.make(read, signal)) ?? [];
  for (const thumbnail of made) await store.putThumbnail(job.fileId, thumbnail, signal);
  return made.map(({ size, width, height }) => ({ size, width, height }));
}

/** Whether the verdict was this holder's to give; then file, event and scan say the same. */
async function settle(sql: Sql, job: ScanJob, found: Found): Promise<boolean> {
  return sql.begin(async (tx) => {
    const isOurs = await settleScan(tx, job, found.status, found.status === 'infected' ? found.signature : null);
    if (isOurs) await updateFile(tx, { fileId: job.fileId, status: found.status, thumbnails: found.thumbnails, eventId: uuidv7(), now: new Date() });
    return isOurs;
  });
}

/** Whoever ends has had no failure; what is away is thrown on, so that the next try waits. */
async function giveBack(ports: ScanPorts, { job, ending, error }: { job: ScanJob; ending: AbortSignal; error: unknown }): Promise<ScanOutcome> {
  if (error instanceof LeaseLost) return 'stale';
  const isEnding = ending.aborted;
  const after = isEnding ? { state: 'waiting' as const, attempts: job.attempts, failure: null, retryInMs: 0 } : afterFailure(job, error, ports);
  await returnScan(ports.sql, job, after);
  if (isEnding) return 'given_back';
  ports.log.warn({ file_id: job.fileId, attempts: after.attempts, state: after.state, ...failureFields(error) }, 'a file could not be scanned');
  if (!isAway(error)) return after.state === 'refused' ? 'refused' : 'retried';
  ports.onScanned('given_back', 0);
  throw error;
}
