/** Deliveries (an event to a socket) a second for which a pass pauses one millisecond; and the longest pause, in milliseconds. */
const DELIVERIES_PER_MS = 2_000;
const MOST_MS = 50;
/** How long a delivery counts, in milliseconds: what is recent weighs more. */
const MEMORY_MS = 1_000;

/**
 * How long to gather events before the next pass over the sockets: nothing in a quiet room, more with the deliveries a second, at most 50 ms (docs/decisions/0019).
 * A send to a socket costs much the same with one event or fifty, so a busy room delivers more by sending less often.
 */
export class Pace {
  /** Deliveries of about the last second, as of `#at`. */
  #deliveries = 0;
  #at = Number.NEGATIVE_INFINITY;

  /** The pause after a pass of so many deliveries, in milliseconds; below 1 it is not worth a timer. `now` in epoch milliseconds. */
  pauseAfter(deliveries: number, now: number): number {
    const age = Math.max(0, now - this.#at);
    this.#deliveries = this.#deliveries * Math.exp(-age / MEMORY_MS) + deliveries;
    this.#at = now;
    return Math.min(MOST_MS, Math.floor(this.#deliveries / DELIVERIES_PER_MS));
  }
}
