import { setTimeout as delay } from 'node:timers/promises';

export interface BackoffRange {
  /** Milliseconds. */
  readonly first: number;
  readonly most: number;
}

/**
 * Exponential backoff with equal jitter: attempt 1 waits `first`/2 to `first` milliseconds, each further one twice that, never more than `most`.
 */
export function backoffDelay({ first, most }: BackoffRange, attempt: number, random: () => number): number {
  const ceiling = Math.min(most, first * 2 ** (attempt - 1));
  return ceiling / 2 + (ceiling / 2) * random();
}

/** Sleeps, or returns at once when `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await delay(ms, undefined, { signal }).catch(() => {});
}
