import { ProblemError, QueueFullError } from './errors.ts';
import type { ResultFrame, Wire } from './wires.ts';

/** Most commands that wait for a result; further ones are refused with `QueueFullError`. */
const MAX_PENDING = 256;

export type CommandFrame<W extends Wire> = W['command'] & { readonly id: string };

interface Pending<W extends Wire> {
  readonly frame: CommandFrame<W>;
  readonly resolve: (result: W['result']) => void;
  readonly reject: (error: Error) => void;
}

/** Commands without a result yet, in the order they were given. They outlive sockets: a new one is sent all of them again. */
export class PendingCommands<W extends Wire> {
  readonly #pending = new Map<string, Pending<W>>();
  #lastId = 0;

  get size(): number {
    return this.#pending.size;
  }

  add(command: W['command']): { frame: CommandFrame<W>; result: Promise<W['result']> } {
    if (this.#pending.size >= MAX_PENDING) throw new QueueFullError('Too many commands wait for their results');
    this.#lastId += 1;
    const frame = { ...command, id: String(this.#lastId) };
    const { promise, resolve, reject } = Promise.withResolvers<W['result']>();
    this.#pending.set(frame.id, { frame, resolve, reject });
    return { frame, result: promise };
  }

  frames(): CommandFrame<W>[] {
    return [...this.#pending.values()].map(({ frame }) => frame);
  }

  settle({ re, ok, problem }: ResultFrame<W>): void {
    const pending = this.#pending.get(re);
    this.#pending.delete(re);
    if (ok) pending?.resolve(ok);
    else if (problem) pending?.reject(new ProblemError(problem));
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
