/** After this many milliseconds of running, an end counts as the first one again. */
const STABLE_MS = 10_000;
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 5_000;

export interface Restart {
  /** Ends in a row without a stable time between them, this one included. */
  readonly failures: number;
  /** Milliseconds to wait before the next start. */
  readonly delayMs: number;
}

/** What follows an end after `uptimeMs`, having seen `failures` ends in a row before. It never gives up: the cause may go away. */
export function restartAfter(uptimeMs: number, failures: number): Restart {
  const inARow = uptimeMs >= STABLE_MS ? 1 : failures + 1;
  return { failures: inARow, delayMs: Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (inARow - 1)) };
}
