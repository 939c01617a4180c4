import type { LogEvent } from './event-log.ts';

export const DRAIN_EVENTS = 1_000;
export const DRAIN_BYTES = 4 * 1024 * 1024;
/**
 * Events skipped in one go. Where more follow each other, the fault is hardly theirs: the drain backs off, so that an operator has
 * time to find it, and goes on skipping after each pause.
 */
const POISON_RUN = 5;

export interface DrainAnswer {
  readonly status: 'ok' | 'fenced' | 'gap' | 'unknown';
  readonly drained_seq: number;
}

export interface DrainPorts {
  /** The oldest undrained events, at most so many. */
  undrained(maxEvents: number): readonly LogEvent[];
  /** Resolves when all that was written is durable: Postgres must not have what this log could still lose. */
  durable(): Promise<void>;
  /** `tracesJson`: the trace contexts of these events, by `seq`; null: there are none. */
  drainBatch(eventsJson: string, tracesJson: string | null): Promise<DrainAnswer>;
  /** Keeps the event among the dead letters and moves the prefix over it. */
  skipPoison(event: LogEvent, error: unknown): Promise<DrainAnswer>;
  /** Postgres holds everything up to `seq`. */
  markDrained(seq: number): void;
  /** The values can never be stored; a repetition cannot help. */
  isDataFault(error: unknown): boolean;
}

export type DrainStep =
  /** `full`: more is waiting that would have fitted into no batch. */
  | { readonly kind: 'drained'; readonly events: number; readonly full: boolean }
  | { readonly kind: 'skipped'; readonly seq: number; readonly error: unknown }
  /** The batch was at fault; the next step takes a smaller one. */
  | { readonly kind: 'narrowed'; readonly error: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'refused'; readonly status: 'fenced' | 'gap' | 'unknown'; readonly drainedSeq: number };

/**
 * Moves undrained events to Postgres, one batch a step, in order. What each death does: before the batch's transaction commits, nothing
 * happened; after it and before `markDrained`, the batch is sent again and Postgres skips what it has (G2, G6).
 *
 * A batch that fails for data is halved until the one faulty event is alone, which is skipped: in log2(1,000) steps, with all before it
 * stored. After a success the batch doubles again.
 */
export class Drain {
  readonly #ports: DrainPorts;
  #limit = DRAIN_EVENTS;
  #poisonRun = 0;

  constructor(ports: DrainPorts) {
    this.#ports = ports;
  }

  /** Something must be undrained. Never rejects. */
  async step(): Promise<DrainStep> {
    try {
      const events = this.#ports.undrained(this.#limit);
      await this.#ports.durable();
      return await this.#send(events);
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  async #send(events: readonly LogEvent[]): Promise<DrainStep> {
    try {
      return this.#settle(await this.#ports.drainBatch(encode(events), tracesOf(events)), events);
    } catch (error) {
      if (!this.#ports.isDataFault(error)) throw error;
      return this.#isolate(events, error);
    }
  }

  /** A pause has passed: poison may be skipped again. */
  resume(): void {
    this.#poisonRun = 0;
  }

  #settle(answer: DrainAnswer, events: readonly LogEvent[]): DrainStep {
    if (answer.status !== 'ok') return { kind: 'refused', status: answer.status, drainedSeq: answer.drained_seq };
    const full = events.length >= this.#limit;
    this.#ports.markDrained(last(events).seq);
    this.#limit = Math.min(DRAIN_EVENTS, this.#limit * 2);
    this.#poisonRun = 0;
    return { kind: 'drained', events: events.length, full };
  }

  async #isolate(events: readonly LogEvent[], error: unknown): Promise<DrainStep> {
    if (events.length > 1) {
      this.#limit = Math.ceil(events.length / 2);
      return { kind: 'narrowed', error };
    }
    return this.#poisonRun < POISON_RUN ? this.#skip(last(events), error) : { kind: 'failed', error };
  }

  async #skip(event: LogEvent, error: unknown): Promise<DrainStep> {
    const answer = await this.#ports.skipPoison(event, error);
    if (answer.status !== 'ok') return { kind: 'refused', status: answer.status, drainedSeq: answer.drained_seq };
    this.#ports.markDrained(event.seq);
    this.#poisonRun += 1;
    return { kind: 'skipped', seq: event.seq, error };
  }
}

const encode = (events: readonly LogEvent[]): string => `[${events.map((event) => event.json).join(',')}]`;

function tracesOf(events: readonly LogEvent[]): string | null {
  const traces = events.flatMap(({ seq, traceparent }) => (traceparent === undefined ? [] : [[seq, traceparent] as const]));
  return traces.length === 0 ? null : JSON.stringify(Object.fromEntries(traces));
}

function last(events: readonly LogEvent[]): LogEvent {
  const event = events.at(-1);
  if (event === undefined) throw new Error('a batch has events');
  return event;
}
