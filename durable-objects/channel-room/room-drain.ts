import { DrainLoop } from '../log/drain-loop.ts';
import { DRAIN_BYTES, type DrainStep } from '../log/drain.ts';
import type { Conversation } from './conversation.ts';
import { decide, keepForked, type Reconciliation } from './reconcile.ts';
import type { LogPlace } from '../../db/queries/room-bootstrap.ts';
import type { RoomMetrics } from './room-metrics.ts';
import type { LogClaim, RoomRecord } from './room-record.ts';

export interface RoomDrainPorts {
  clock(): number;
  random(): number;
  schedule(ms: number, task: () => void): void;
  /** Resolves when all that was written to SQLite is durable. */
  durable(): Promise<void>;
  setAlarm(at: number): void;
  clearAlarm(): void;
  readonly record: RoomRecord;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** Ends this instance; the next one opens the room again. `forget`: from Postgres, in a new epoch. */
  restart(reason: string, forget: boolean): void;
  /** The log goes on in a new epoch: no client's cursor is good any more. */
  epochChanged(): void;
}

/** The drain of a room's log: the loop, its claim, and what to do when Postgres refuses it. */
export class RoomDrain {
  readonly #conversation: Conversation;
  readonly #ports: RoomDrainPorts;
  readonly #metrics: RoomMetrics;
  readonly #loop: DrainLoop;
  #claimed = false;
  #hasDrained = false;

  constructor(conversation: Conversation, metrics: RoomMetrics, ports: RoomDrainPorts) {
    this.#conversation = conversation;
    this.#metrics = metrics;
    this.#ports = ports;
    const { log } = conversation;
    const { record } = ports;
    this.#loop = new DrainLoop({
      pending: () => log.undrainedEvents,
      undrained: (maxEvents) => log.undrained(maxEvents, DRAIN_BYTES),
      durable: () => ports.durable(),
      drainBatch: (eventsJson) => record.drainBatch(this.#claim(), eventsJson),
      skipPoison: (event, error) => record.skipPoison(this.#claim(), event, error),
      markDrained: (seq) => log.markDrained(seq),
      isDataFault: (error) => record.isDataFault(error),
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
  #claim(): LogClaim {
    const { log, channelId } = this.#conversation;
    if (!this.#claimed) log.claim(log.state.epoch, log.state.fence + 1);
    this.#claimed = true;
    const { epoch, fence } = log.state;
    return { channelId, epoch, fence };
  }

  #observe(step: DrainStep): void {
    if (step.kind === 'drained') {
      this.#hasDrained = true;
      return this.#metrics.count('colink_room_events_drained_total', step.events);
    }
    if (step.kind === 'skipped') this.#metrics.count('colink_room_poison_events_total');
    if (step.kind === 'narrowed') return;
    const kind = step.kind === 'refused' ? step.status : step.kind;
    this.#metrics.count('colink_room_drain_failures_total', 1, { kind });
    this.#ports.warn('drain', { kind, ...('error' in step && { error: describe(step.error) }), ...this.#conversation.log.state });
  }

  async #reconcile(status: 'fenced' | 'gap' | 'unknown'): Promise<boolean> {
    // Fenced after it could drain: a newer instance has taken over, and whatever this one does is void.
    if (status === 'fenced' && this.#hasDrained) return this.#end('fenced', false);
    try {
      const place = await this.#ports.record.findLogPlace(this.#conversation.channelId);
      return await this.#follow(decide(this.#conversation.log, place), place);
    } catch (error) {
      this.#ports.warn('reconcile', { error: describe(error) });
      return false;
    }
  }

  async #follow(decision: Reconciliation, place: LogPlace | null): Promise<boolean> {
    this.#ports.warn('reconcile', { decision: decision.kind, ...place });
    if (place === null || decision.kind === 'wait') return false;
    const { log, channelId } = this.#conversation;
    if (decision.kind === 'yield') {
      await keepForked(log, this.#ports.record, channelId);
      return this.#end('Postgres goes on with another log', true);
    }
    const { epoch, fence, drainedSeq } = decision;
    if (!(await this.#ports.record.moveLog({ channelId, found: place, epoch, fence, drainedSeq }))) return false;
    log.claim(epoch, fence);
    log.markDrained(drainedSeq);
    if (decision.kind === 'skip') this.#ports.epochChanged();
    return true;
  }

  #end(reason: string, forget: boolean): false {
    this.#loop.stop();
    this.#ports.restart(reason, forget);
    return false;
  }
}

/** Without parameters: a message's text is not for logs. */
const describe = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
