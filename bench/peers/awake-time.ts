/** How long past its time a timer is still taken to be about to fire, in milliseconds. */
const LATE_MS = 50;

/**
 * The time in which at least one timer was pending, in milliseconds; `now` and `due` are of one clock. A timer that is neither ended nor fires went with the request that set it, and counts
 * until it was due.
 */
export class AwakeTime {
  readonly #pending = new Map<unknown, number>();
  #since = 0;
  #past = 0;

  begin(timer: unknown, due: number, now: number): void {
    this.#sweep(now);
    if (this.#pending.size === 0) this.#since = now;
    this.#pending.set(timer, due);
  }

  end(timer: unknown, now: number): void {
    this.#sweep(now);
    if (this.#pending.delete(timer) && this.#pending.size === 0) this.#past += now - this.#since;
  }

  total(now: number): number {
    this.#sweep(now);
    return this.#past + (this.#pending.size > 0 ? now - this.#since : 0);
  }

  #sweep(now: number): void {
    let last: number | null = null;
    for (const [timer, due] of this.#pending) {
      if (due >= now - LATE_MS) continue;
      this.#pending.delete(timer);
      last = Math.max(last ?? due, due);
    }
    if (last !== null && this.#pending.size === 0) this.#past += Math.max(0, last - this.#since);
  }
}
