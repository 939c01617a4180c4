import { setTimeout as sleep } from 'node:timers/promises';
import { restartAfter } from './restart-policy.ts';

/** A part of the stack that runs: one process, or a host with the process it hosts. */
export interface RunningPart {
  /** Live: a part may replace a process of its own. */
  readonly pids: Readonly<Record<string, number>>;
  /** Resolves when the part has ended, with how it ended. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

/** Starts a part and resolves when it serves. `changed` is to be called when its `pids` change. */
export type StartPart = (changed: () => void) => Promise<RunningPart>;

export interface SupervisorOptions {
  /** A process id is another one now, or gone. */
  readonly onChange: () => void;
  /** Takes lines for people: what died and what was started again. */
  readonly report: (line: string) => void;
  readonly now?: () => number;
}

/** Keeps parts running: one that ends is started again by the same function, so on the same port and data. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #now: () => number;
  readonly #parts = new Map<string, Part>();
  #isClosed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** The first start. Rejects if it fails, and after `close`; then the part is not kept. */
  async add(name: string, start: StartPart): Promise<void> {
    if (this.#isClosed) throw new Error(`${name} is not started: all is being stopped`);
    const part = new Part(name, start, this.#options, this.#now);
    this.#parts.set(name, part);
    try {
      await part.begin();
    } catch (error) {
      this.#parts.delete(name);
      throw error;
    }
  }

  /** Of all that runs now. */
  pids(): Record<string, number> {
    return Object.assign({}, ...[...this.#parts.values()].map((part) => part.pids()));
  }

  /** From now on nothing is added. */
  close(): void {
    this.#isClosed = true;
  }

  /** Stops one part, also while it starts, and keeps it stopped. Resolves when it has ended; a part that was never added is no error. */
  async stop(name: string): Promise<void> {
    await this.#parts.get(name)?.stop();
  }
}

class Part {
  readonly #name: string;
  readonly #start: StartPart;
  readonly #options: SupervisorOptions;
  readonly #now: () => number;
  readonly #stopping = new AbortController();
  #running: RunningPart | null = null;
  #loop: Promise<void> = Promise.resolve();

  constructor(name: string, start: StartPart, options: SupervisorOptions, now: () => number) {
    this.#name = name;
    this.#start = start;
    this.#options = options;
    this.#now = now;
  }

  pids(): Readonly<Record<string, number>> {
    return this.#running?.pids ?? {};
  }

  async begin(): Promise<void> {
    const starting = this.#start(this.#options.onChange);
    this.#loop = starting.then((running) => this.#keep(running), () => {});
    const running = await starting;
    this.#set(running);
    if (this.#stopping.signal.aborted) await running.stop();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.stop();
    await this.#loop;
  }

  async #keep(first: RunningPart): Promise<void> {
    let running: RunningPart | null = first;
    let failures = 0;
    while (true) {
      const since = this.#now();
      const how: string | undefined = await running?.ended;
      this.#set(null);
      if (this.#stopping.signal.aborted) return;
      const restart = restartAfter(running ? this.#now() - since : 0, failures);
      failures = restart.failures;
      if (how !== undefined) this.#options.report(`${this.#name} ended (${how}), starting it again`);
      await sleep(restart.delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopping.signal.aborted) return;
      running = await this.#restart();
    }
  }

  async #restart(): Promise<RunningPart | null> {
    const since = this.#now();
    try {
      const running = await this.#start(this.#options.onChange);
      this.#set(running);
      if (this.#stopping.signal.aborted) await running.stop();
      else this.#options.report(`${this.#name} runs again after ${Math.round(this.#now() - since)} ms`);
      return running;
    } catch (error) {
      this.#options.report(`${this.#name}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  #set(running: RunningPart | null): void {
    this.#running = running;
    this.#options.onChange();
  }
}
