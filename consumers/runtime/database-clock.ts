import type { Logger } from 'pino';
import { failureFields } from './classify.ts';
import { Poller } from './poller.ts';
import type { Service } from './service.ts';

export interface DatabaseClockOptions {
  /** Postgres' time, and this process's, in milliseconds since 1970. */
  readonly read: () => Promise<number>;
  readonly now: () => number;
  readonly log: Logger;
  /** Told after each measurement by how many milliseconds this process is ahead. */
  readonly onMeasured: (ahead: number) => void;
}

const EVERY_MS = 60_000;
const FAILURE = { first: 500, most: 10_000 };
/** Milliseconds past which a person should know. */
const NOTABLE = 5_000;

/**
 * The time by which the processes of a fleet agree on what is due: that of the Postgres they share, which each tells from its own clock and how far that
 * is off. By its own, a key that one process parks would wait for as long as its clock is ahead of the others'.
 */
export class DatabaseClock {
  readonly #options: DatabaseClockOptions;
  #ahead = 0;

  constructor(options: DatabaseClockOptions) {
    this.#options = options;
  }

  /** Until it is measured for the first time, this process's own. */
  time(): Date {
    return new Date(this.#options.now() - this.#ahead);
  }

  /** Half the way there and back is the error at most. */
  async measure(): Promise<void> {
    const { read, now, log, onMeasured } = this.#options;
    const asked = now();
    const at = await read();
    this.#ahead = Math.round((asked + now()) / 2 - at);
    if (Math.abs(this.#ahead) > NOTABLE) log.warn({ ahead_seconds: this.#ahead / 1_000 }, 'the clock of this process is not that of Postgres');
    onMeasured(this.#ahead);
  }

  /** Measures at once, and every minute. */
  service(): Service {
    return new Poller({
      name: 'clock',
      idle: { first: EVERY_MS, most: EVERY_MS },
      failure: FAILURE,
      onError: (error) => this.#options.log.warn(failureFields(error), 'the clock waits'),
      step: () => this.measure().then(() => false),
    });
  }
}
