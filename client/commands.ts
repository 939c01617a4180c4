import { ProblemError, QueueFullError } from './errors.ts';
import type { Clock } from './ports.ts';
import type { ResultFrame, Wire } from './wires.ts';

/** Most commands that wait for a result; further ones are refused with `QueueFullError`. */
const MAX_PENDING = 256;
/**
 * A command without a result for this long is taken for lost, and its socket with it. Doubled each time up to four times as much, until there is
 * a result: a server that is slow is not helped by clients that come anew.
 */
const RESULT_WITHIN_MS = 15_000;
const MOST_DOUBLINGS = 2;

export type CommandFrame<W extends Wire> = W['command'] & { readonly id: string };

interface Pending<W extends Wire> {
  readonly frame: CommandFrame<W>;
  readonly resolve: (result: W['result']) => void;
  readonly reject: (error: Error) => void;
  /** Ends the wait for the result; null: the socket does not have the command. */
  unwatch: (() => void) | null;
}

/** Commands without a result yet, in the order they were given. They outlive sockets: a new one is sent all of them again. */
export class PendingCommands<W extends Wire> {
  readonly #pending = new Map<string, Pending<W>>();
  readonly #clock: Clock;
  readonly #overdue: () => void;
  #lastId = 0;
  #doublings = 0;

  /** `overdue`: the socket took a command and does not answer it, though it may well answer pings, which the platform does by itself. */
  constructor(clock: Clock, overdue: () => void) {
    this.#clock = clock;
    this.#overdue = overdue;
  }

  get size(): number {
    return this.#pending.size;
  }

  async add(command: W['command']): Promise<W['result']> {
    if (this.#pending.size >= MAX_PENDING) throw new QueueFullError('Too many commands wait for their results');
    this.#lastId += 1;
    const frame = { ...command, id: String(this.#lastId) };
    return new Promise((resolve, reject) => this.#pending.set(frame.id, { frame, resolve, reject, unwatch: null }));
  }

  /**
   * What the socket is to be sent now. Of the commands on one message only the first, until it is answered: an edit that is repeated must not come
   * after the edit that followed it.
   */
  take(): CommandFrame<W>[] {
    const taken: CommandFrame<W>[] = [];
    const about = new Set<unknown>();
    for (const pending of this.#pending.values()) {
      const { frame } = pending;
      const target = 'message_id' in frame ? frame.message_id : frame.id;
      if (!pending.unwatch && !about.has(target)) {
        pending.unwatch = this.#watch();
        taken.push(frame);
      }
      about.add(target);
    }
    return taken;
  }

  /** The socket is gone, with all that it had. */
  untake(): void {
    for (const pending of this.#pending.values()) {
      pending.unwatch?.();
      pending.unwatch = null;
    }
  }

  settle({ re, ok, problem }: ResultFrame<W>): void {
    const pending = this.#pending.get(re);
    pending?.unwatch?.();
    this.#pending.delete(re);
    this.#doublings = 0;
    if (ok) pending?.resolve(ok);
    else if (problem) pending?.reject(new ProblemError(problem));
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #watch(): () => void {
    return this.#clock.after(RESULT_WITHIN_MS * 2 ** this.#doublings, () => {
      this.#doublings = Math.min(this.#doublings + 1, MOST_DOUBLINGS);
      this.#overdue();
    });
  }
}
