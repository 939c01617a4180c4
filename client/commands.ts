import type { Command, CommandResult, ServerFrame, ClientFrame } from '../protocol/frames.ts';
import { ProblemError, QueueFullError } from './errors.ts';

/** Most commands that wait for a result; further ones are refused with `QueueFullError`. */
const MAX_PENDING = 256;

export type CommandFrame = Extract<ClientFrame, { id: string }>;
export type SocketCommand = Exclude<Command, { type: 'send' }> | Omit<Extract<Command, { type: 'send' }>, 'origin'>;
type ResultFrame = Extract<ServerFrame, { type: 'result' }>;

interface Pending {
  readonly frame: CommandFrame;
  readonly resolve: (result: CommandResult) => void;
  readonly reject: (error: Error) => void;
}

/** Commands without a result yet, in the order they were given. They outlive sockets: a new one is sent all of them again. */
export class PendingCommands {
  readonly #pending = new Map<string, Pending>();
  #lastId = 0;

  add(command: SocketCommand): { frame: CommandFrame; result: Promise<CommandResult> } {
    if (this.#pending.size >= MAX_PENDING) throw new QueueFullError('Too many commands wait for their results');
    this.#lastId += 1;
    const frame = { ...command, id: String(this.#lastId) };
    const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
    this.#pending.set(frame.id, { frame, resolve, reject });
    return { frame, result: promise };
  }

  frames(): CommandFrame[] {
    return [...this.#pending.values()].map(({ frame }) => frame);
  }

  settle({ re, ok, problem }: ResultFrame): void {
    const pending = this.#pending.get(re);
    this.#pending.delete(re);
    if (ok && 'message_id' in ok) pending?.resolve(ok);
    else if (problem) pending?.reject(new ProblemError(problem));
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
