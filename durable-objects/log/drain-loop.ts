import { backoffMs } from './backoff.ts';
import { Drain, type DrainPorts, type DrainStep } from './drain.ts';

/** Time for a batch to gather after one that was not full. The first after quiet goes at once. */
const GATHER_MS = 50;
/** The net below a running drain: should this instance die, its alarm continues. */
const NET_MS = 15_000;

export interface DrainLoopPorts extends DrainPorts {
  /** Events not drained yet. */
  pending(): number;
  clock(): number;
  /** In [0, 1). */
  random(): number;
  sleep(ms: number): Promise<void>;
  /** The drain's alarm, kept durably; a later call replaces it. */
  setAlarm(at: number): void;
  clearAlarm(): void;
  /** Each step's outcome, for metrics and logs. */
  observe(step: DrainStep): void;
  /**
   * Postgres does not take what this log holds. True: settled, the drain goes on; false: not now, it tries again later.
   * An instance that is to end rejects nothing: it just ends.
   */
  reconcile(status: 'fenced' | 'gap' | 'unknown', drainedSeq: number): Promise<boolean>;
}

/**
 *          wake (append)                       nothing left
 *   idle ───────────────▶ running ───────────────────────────▶ idle
 *                            │ failed, or not reconciled
 *                            ▼
 *                         waiting (alarm) ── alarm ──▶ running
 *
 * The alarm is set in the very commit that makes a drained log undrained, so whatever dies, something continues; `rest` clears it.
 */
export class DrainLoop {
  readonly #ports: DrainLoopPorts;
  readonly #drain: Drain;
  #state: 'idle' | 'running' | 'waiting' = 'idle';
  #attempt = 0;
  #alarmSet = false;
  #stopped = false;

  constructor(ports: DrainLoopPorts) {
    this.#ports = ports;
    this.#drain = new Drain(ports);
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Call in the turn of the commit that appended, so that the alarm is as durable as the events. */
  wake(): void {
    if (this.#stopped) return;
    if (!this.#alarmSet) this.#armAt(this.#ports.clock() + NET_MS);
    if (this.#state === 'idle') void this.run();
  }

  /** The alarm rang. Resolves when the drain is idle, or waits for the next alarm. */
  async alarm(): Promise<void> {
    this.#armAt(this.#ports.clock() + NET_MS);
    this.#drain.resume();
    if (this.#state !== 'running') await this.run();
  }

  /** Nothing is left to do: no alarm may wake the room. */
  rest(): void {
    if (this.#state !== 'idle' || !this.#alarmSet) return;
    this.#alarmSet = false;
    this.#ports.clearAlarm();
  }

  /** For good; the step under way may still end. */
  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    this.#state = 'running';
    while (this.#ports.pending() > 0 && !this.#stopped) {
      const step = await this.#drain.step();
      this.#ports.observe(step);
      if (!(await this.#goesOn(step))) return this.#wait();
    }
    this.#state = 'idle';
    this.#attempt = 0;
  }

  async #goesOn(step: DrainStep): Promise<boolean> {
    if (step.kind === 'failed') return false;
    if (step.kind === 'refused') return this.#ports.reconcile(step.status, step.drainedSeq);
    if (step.kind === 'drained') this.#attempt = 0;
    if (step.kind === 'drained' && !step.full) await this.#ports.sleep(GATHER_MS);
    return true;
  }

  #wait(): void {
    this.#state = 'waiting';
    this.#armAt(this.#ports.clock() + backoffMs(this.#attempt, this.#ports.random()));
    this.#attempt += 1;
  }

  #armAt(at: number): void {
    this.#alarmSet = true;
    this.#ports.setAlarm(at);
  }
}
