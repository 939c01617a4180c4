import type { Clock, Random } from './ports.ts';
import { isRetryable, retryAfterMs } from './errors.ts';

const BASE_MS = 500;
const CEILING_MS = 30_000;

/**
 * Milliseconds to wait before attempt `attempt` (from 0): full jitter, uniform under an exponential that doubles from 0.5 s up to
 * 30 s, so that a crowd cut off at once comes back spread out. `slow` starts at the ceiling.
 */
export function backoffMs(kind: 'none' | 'jitter' | 'slow', attempt: number, random: Random): number {
  if (kind === 'none') return 0;
  return Math.round(random() * (kind === 'slow' ? CEILING_MS : Math.min(CEILING_MS, BASE_MS * 2 ** Math.min(attempt, 16))));
}

/** Calls until it succeeds, fails for a reason that repetition does not mend, or has failed `attempts` times. */
export async function retrying<T>(call: () => Promise<T>, ports: { clock: Clock; random: Random }, attempts = 5): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (attempt + 1 >= attempts || !isRetryable(error)) throw error;
      await delay(ports.clock, Math.max(retryAfterMs(error), backoffMs('jitter', attempt, ports.random)));
    }
  }
}

export const delay = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
