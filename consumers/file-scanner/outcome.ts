import type { FailedScan, ScanJob } from '../../db/queries/file-scans.ts';
import { backoffDelay, type BackoffRange } from '../runtime/backoff.ts';
import { classify, describeFailure } from '../runtime/classify.ts';
import { ScanUnfinished, Unscannable } from './failures.ts';

/** Further tries of a file that cannot be scanned for its own reasons; and of one that comes to no end, which may be clamd's fault. */
const MAX_RETRIES = 3;
const MAX_UNFINISHED = 10;

export interface RetryPorts {
  /** Between tries that failed. */
  readonly retry: BackoffRange;
  /** Before the next try of a file that waits for something else. Milliseconds. */
  readonly awayMs: number;
  readonly random: () => number;
}

/** What follows a try that failed with `error`: what is away costs the file no try. */
export function afterFailure(job: ScanJob, error: unknown, { retry, awayMs, random }: RetryPorts): FailedScan {
  const { errorClass, errorMessage } = describeFailure(error);
  const failure = `${errorClass}: ${errorMessage}`;
  if (isAway(error)) return { state: 'waiting', attempts: job.attempts, failure, retryInMs: awayMs * (1 + random()) };
  const attempts = job.attempts + 1;
  const isLast = attempts > (error instanceof ScanUnfinished ? MAX_UNFINISHED : MAX_RETRIES);
  return { state: isLast ? 'refused' : 'waiting', attempts, failure, retryInMs: backoffDelay(retry, attempts, random) };
}

/** A file whose process has died again and again is not taken up any more. */
export function refuseLost(job: ScanJob): void {
  if (job.attempts > MAX_UNFINISHED) throw new ScanUnfinished('whoever scanned it came to an end again and again');
}

/** Whether a try failed for want of something else than the file. What broke off may have a broken socket for its cause, and is none of that. */
export const isAway = (error: unknown): boolean => !(error instanceof ScanUnfinished || error instanceof Unscannable) && classify(error) === 'infrastructure';
