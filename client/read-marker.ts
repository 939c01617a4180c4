import { isLaterPlace, laterPlace, type ReadPlace } from '../protocol/read-places.ts';
import type { ReadResult } from '../protocol/frames.ts';
import type { Clock } from './ports.ts';

const DEBOUNCE_MS = 1_000;
const RETRY_MS = 10_000;

/** Answers where the marker stands: no further than the channel's newest message. Nothing: where it was to be. */
type Put = (place: ReadPlace) => Promise<ReadResult | undefined>;
const NOWHERE: ReadPlace = { generation: 0, pos: 0 };

/** Tells the server how far the user has read: the latest place only, at most one call a second and one at a time. */
export class ReadMarker {
  readonly #put: Put;
  readonly #clock: Clock;
  #known: ReadPlace;
  #wanted: ReadPlace;
  /** What `flush` has told last. */
  #flushed = NOWHERE;
  #cancel: (() => void) | null = null;
  #busy = false;

  constructor(put: Put, known: ReadPlace, clock: Clock) {
    this.#put = put;
    this.#known = known;
    this.#wanted = known;
    this.#clock = clock;
  }

  moveTo(place: ReadPlace): void {
    this.#wanted = laterPlace(place, this.#wanted);
    this.#schedule(DEBOUNCE_MS);
  }

  /** The marker was moved elsewhere: what is wanted of before it was marked as unread is not told any more. */
  learn(place: ReadPlace): void {
    this.#known = laterPlace(place, this.#known);
    if (isLaterPlace(this.#known, this.#wanted)) this.#wanted = this.#known;
  }

  /**
   * This may be the last moment: tells by `put` what is not known to be told, though a call for it may be under way. Where the page stays after all, and
   * the call fails, it is told as ever.
   */
  flush(put: Put): void {
    const place = this.#wanted;
    if (!isLaterPlace(place, laterPlace(this.#known, this.#flushed))) return;
    this.#flushed = place;
    put(place).then(
      (stands) => this.#told(place, stands),
      () => (this.#flushed = NOWHERE),
    );
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#wanted = this.#known;
  }

  #schedule(ms: number): void {
    if (this.#busy || !isLaterPlace(this.#wanted, this.#known)) return;
    this.#cancel ??= this.#clock.after(ms, () => void this.#tell());
  }

  async #tell(): Promise<void> {
    const place = this.#wanted;
    this.#cancel = null;
    if (!isLaterPlace(place, this.#known)) return;
    this.#busy = true;
    const stands = await this.#put(place).catch(() => null);
    this.#busy = false;
    if (stands !== null) this.#told(place, stands);
    this.#schedule(stands === null ? RETRY_MS : DEBOUNCE_MS);
  }

  #told(place: ReadPlace, { read_pos: pos, generation = 0 }: ReadResult = { read_pos: place.pos, generation: place.generation }): void {
    this.#known = laterPlace({ generation, pos }, this.#known);
    if (!isLaterPlace(this.#wanted, place)) this.#wanted = this.#known;
  }
}
