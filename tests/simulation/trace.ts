import type { Schedule } from './schedule.ts';

/** What a run did, a line a thing; kept only where somebody will read it. */
export class Trace {
  readonly #schedule: Schedule;
  readonly #start: number;
  readonly #print: ((line: string) => void) | null;

  constructor(schedule: Schedule, print: ((line: string) => void) | null) {
    this.#schedule = schedule;
    this.#start = schedule.now();
    this.#print = print;
  }

  /** The text is made only if it is read. */
  note(text: () => string): void {
    this.#print?.(`${String(this.#schedule.now() - this.#start).padStart(8)} ms  ${text()}`);
  }
}

/** A guarantee that did not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly guarantee: string;

  constructor(guarantee: string, detail: string) {
    super(`${guarantee}: ${detail}`);
    this.guarantee = guarantee;
  }
}
