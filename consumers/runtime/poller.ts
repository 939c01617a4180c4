import { backoffDelay, type BackoffRange, pause } from './backoff.ts';
import type { Service } from './service.ts';

export interface PollerOptions {
  readonly name: string;
  /** Does one piece of work. True: there may be more at once; false: nothing to do, come back later. `ending` aborts when no more is to be begun. */
  readonly step: (ending: AbortSignal) => Promise<boolean>;
  /** Waits between steps that had nothing to do: doubles from `first` to `most`. */
  readonly idle: BackoffRange;
  /** Waits after steps that threw: doubles likewise. */
  readonly failure: BackoffRange;
  readonly onError: (error: unknown) => void;
  /** Lets go of what the steps hold. `hard`: the step under way must end now. */
  readonly release?: (hard: boolean) => Promise<void>;
  readonly random?: () => number;
}

/** Repeats one step until drained or stopped: the loop of every service that polls. */
export class Poller implements Service {
  readonly name: string;
  readonly #options: PollerOptions;
  readonly #ending = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: PollerOptions) {
    this.name = options.name;
    this.#options = options;
  }

  run(): Promise<void> {
    this.#running ??= this.#loop();
    return this.#running;
  }

  async drain(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await this.#options.release?.(false);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#options.release?.(true);
    await this.#running;
  }

  async #loop(): Promise<void> {
    let idle = 0;
    let failures = 0;
    while (!this.#ending.signal.aborted) {
      try {
        idle = (await this.#options.step(this.#ending.signal)) ? 0 : idle + 1;
        failures = 0;
      } catch (error) {
        failures += 1;
        if (!this.#ending.signal.aborted) this.#options.onError(error);
      }
      await this.#rest(idle, failures);
    }
  }

  async #rest(idle: number, failures: number): Promise<void> {
    const { idle: idleRange, failure, random = Math.random } = this.#options;
    if (failures > 0) await pause(backoffDelay(failure, failures, random), this.#ending.signal);
    else if (idle > 0) await pause(backoffDelay(idleRange, idle, random), this.#ending.signal);
  }
}
