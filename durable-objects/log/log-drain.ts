import type { LogPlace } from '../../db/queries/room-bootstrap.ts';
import { DrainLoop } from './drain-loop.ts';
import { DRAIN_BYTES, type DrainAnswer, type DrainStep } from './drain.ts';
import type { EventLog, LogEvent } from './event-log.ts';
import { decide, keepForked, type Reconciliation } from './reconcile.ts';

/** An instance's claim on its log, by which Postgres knows the newest. */
export interface Claim {
  readonly epoch: number;
  readonly fence: number;
}

/** The stored side of one log. Every method rejects when Postgres is away. */
export interface LogStore {
  drainBatch(claim: Claim, eventsJson: string, tracesJson: string | null): Promise<DrainAnswer>;
  skipPoison(claim: Claim, event: LogEvent, error: unknown): Promise<DrainAnswer>;
  isDataFault(error: unknown): boolean;
  findPlace(): Promise<LogPlace | null>;
  /** False: the place is no longer the one that was found. */
  move(found: LogPlace, to: Claim & { readonly drainedSeq: number }): Promise<boolean>;
  keepForked(epoch: number, events: readonly LogEvent[]): Promise<void>;
}

export interface LogDrainPorts {
  clock(): number;
  random(): number;
  schedule(ms: number, task: () => void): void;
  /** Resolves when all that was written to SQLite is durable. */
  durable(): Promise<void>;
  setAlarm(at: number): void;
  clearAlarm(): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** Ends this instance; the next one opens the object again. `forget`: from Postgres, in a new epoch. */
  restart(reason: string, forget: boolean): void;
  /** The log goes on in a new epoch: no client's cursor is good any more. */
  epochChanged(): void;
  /** Each step's outcome, for metrics. */
  observe(step: DrainStep): void;
}

/** The drain of a log: the loop, its claim, and what to do when Postgres refuses it. */
export class LogDrain {
  readonly #log: EventLog;
  readonly #store: LogStore;
  readonly #ports: LogDrainPorts;
  readonly #loop: DrainLoop;
  #claimed = false;
  #hasDrained = false;

  constructor(log: EventLog, store: LogStore, ports: LogDrainPorts) {
    this.#log = log;
    this.#store = store;
    this.#ports = ports;
    this.#loop = new DrainLoop({
      pending: () => log.undrainedEvents,
      undrained: (maxEvents) => log.undrained(maxEvents, DRAIN_BYTES),
      durable: () => ports.durable(),
      drainBatch: (eventsJson, tracesJson) => store.drainBatch(this.#claim(), eventsJson, tracesJson),
      skipPoison: (event, error) => store.skipPoison(this.#claim(), event, error),
      markDrained: (seq) => log.markDrained(seq),
      isDataFault: (error) => store.isDataFault(error),
      clock: () => ports.clock(),
      random: () => ports.random(),
      sleep: (ms) => new Promise((resolve) => ports.schedule(ms, resolve)),
      setAlarm: (at) => ports.setAlarm(at),
      clearAlarm: () => ports.clearAlarm(),
      observe: (step) => this.#observe(step),
      reconcile: (status) => this.#reconcile(status),
    });
  }

  get isRunning(): boolean {
    return this.#loop.isRunning;
  }

  /** Events were appended in this very turn, or were left undrained by an earlier instance. */
  wake(): void {
    this.#loop.wake();
  }

  alarm(): Promise<void> {
    return this.#loop.alarm();
  }

  rest(): void {
    this.#loop.rest();
  }

  /** The fence rises once an instance, so that Postgres tells a newer one from an older one that still lives somewhere. */
  #claim(): Claim {
    if (!this.#claimed) this.#log.claim(this.#log.state.epoch, this.#log.state.fence + 1);
    this.#claimed = true;
    const { epoch, fence } = this.#log.state;
    return { epoch, fence };
  }

  #observe(step: DrainStep): void {
    this.#ports.observe(step);
    if (step.kind === 'drained') this.#hasDrained = true;
    if (step.kind === 'drained' || step.kind === 'narrowed') return;
    const kind = step.kind === 'refused' ? step.status : step.kind;
    this.#ports.warn('drain', { kind, ...('error' in step && { error: describe(step.error) }), ...this.#log.state });
  }

  async #reconcile(status: 'fenced' | 'gap' | 'unknown'): Promise<boolean> {
    // Fenced after it could drain: a newer instance has taken over, and whatever this one does is void.
    if (status === 'fenced' && this.#hasDrained) return this.#end('fenced', false);
    try {
      const place = await this.#store.findPlace();
      return await this.#follow(decide(this.#log, place), place);
    } catch (error) {
      this.#ports.warn('reconcile', { error: describe(error) });
      return false;
    }
  }

  async #follow(decision: Reconciliation, place: LogPlace | null): Promise<boolean> {
    this.#ports.warn('reconcile', { decision: decision.kind, ...place });
    if (place === null || decision.kind === 'wait') return false;
    if (decision.kind === 'yield') {
      await keepForked(this.#log, (epoch, events) => this.#store.keepForked(epoch, events));
      return this.#end('Postgres goes on with another log', true);
    }
    const { epoch, fence, drainedSeq } = decision;
    if (!(await this.#store.move(place, { epoch, fence, drainedSeq }))) return false;
    this.#log.claim(epoch, fence);
    this.#log.markDrained(drainedSeq);
    if (decision.kind === 'skip') this.#ports.epochChanged();
    return true;
  }

  #end(reason: string, forget: boolean): false {
    this.#loop.stop();
    this.#ports.restart(reason, forget);
    return false;
  }
}

/** Without parameters: what is in an event is not for logs. */
const describe = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
