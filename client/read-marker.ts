import type { Clock } from './ports.ts';

const DEBOUNCE_MS = 1_000;
const RETRY_MS = 10_000;

/** Tells the server how far the user has read: the latest position only, at most one call a second and one at a time. */
export class ReadMarker {
  readonly #put: (pos: number) => Promise<unknown>;
  readonly #clock: Clock;
  #known: number;
  #wanted: number;
  /** What `flush` has told last. */
  #flushed = 0;
  #cancel: (() => void) | null = null;
  #busy = false;

  constructor(put: (pos: number) => Promise<unknown>, known: number, clock: Clock) {
    this.#put = put;
    this.#known = known;
    this.#wanted = known;
    this.#clock = clock;
  }

  moveTo(pos: number): void {
    this.#wanted = Math.max(this.#wanted, pos);
    this.#schedule(DEBOUNCE_MS);
  }

  /**
   * This may be the last moment: tells by `put` what is not known to be told, though a call for it may be under way. Where the page stays after all, and
   * the call fails, it is told as ever.
   */
  flush(put: (pos: number) => Promise<unknown>): void {
    const pos = this.#wanted;
    if (pos <= Math.max(this.#known, this.#flushed)) return;
    this.#flushed = pos;
    put(pos).then(
      () => (this.#known = Math.max(this.#known, pos)),
      () => (this.#flushed = 0),
    );
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#wanted = this.#known;
  }

  #schedule(ms: number): void {
    if (this.#busy || this.#wanted <= this.#known) return;
    this.#cancel ??= this.#clock.after(ms, () => void this.#tell());
  }

  async #tell(): Promise<void> {
    const pos = this.#wanted;
    this.#cancel = null;
    if (pos <= this.#known) return;
    this.#busy = true;
    const told = await this.#put(pos).then(
      () => true,
      () => false,
    );
    this.#busy = false;
    if (told) this.#known = Math.max(this.#known, pos);
    this.#schedule(told ? DEBOUNCE_MS : RETRY_MS);
  }
}
