const BASE_MS = 500;
const CAP_MS = 30_000;
/** A retry at once would meet the same fault. */
const LEAST_MS = 50;

/** Full jitter over a capped exponential. `attempt` counts from 0, `random` is in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  return LEAST_MS + Math.floor(random * Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 16)));
}
