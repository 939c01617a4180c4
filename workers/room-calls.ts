import type { ActorCommand } from '../durable-objects/channel-room/room-api.ts';
import type { Outcome } from '../protocol/errors.ts';
import type { CommandResult } from '../protocol/frames.ts';
import { BoundedMap } from './bounded-map.ts';

/** How long the first command that waits leaves the call in flight to return, and how long those behind it leave the next call to it, in milliseconds. */
const GATHER_MS = 5;
const TAKE_OVER_MS = 100;
/** How long a command waits for the answer to a call before it is called for again, and how long for any answer. */
const OVERDUE_MS = 1_200;
const PATIENCE_MS = 15_000;
/** Commands of one call. */
const MOST_COMMANDS = 200;
const MOST_ROOMS = 10_000;

/** `alone`: the room leaves this one to a call of its own. */
type Answer = Outcome<CommandResult> | 'alone' | { readonly error: unknown };

interface Waiting {
  readonly command: ActorCommand;
  /** Some request has made the call that carries it; it no longer is in the queue. */
  taken: boolean;
  answer: Answer | null;
  /** Settles a promise of the request that waits: there is an answer, or it is its turn to call. */
  wake(): void;
}

interface Queue {
  waiting: Waiting[];
  /** A call is on its way. */
  calling: boolean;
}

/** What the request at hand gives: calls of its room, and a way to have the platform finish a promise after its end. */
export interface Caller {
  /** Null: the room leaves that command to a call of its own. */
  call(commands: readonly ActorCommand[]): Promise<readonly (Outcome<CommandResult> | null)[]>;
  callAlone(command: ActorCommand): Promise<Outcome<CommandResult>>;
  keep(work: Promise<void>): void;
}

/**
 * Shares calls to rooms among the requests of an isolate: one call a room is on its way, and what comes meanwhile leaves together when it is
 * back, or after 5 ms. A command on a quiet isolate leaves at once.
 *
 * Requests share data only (workerd, 2026-11). Each awaits promises and timers that it made itself, and nobody else clears them; another
 * may settle such a promise, and the platform then continues it in its own context (`handle_cross_request_promise_resolution`). A request may
 * be cut off at any moment, and its timers with it: so each that waits can make the call, and the call is kept alive by the one that makes it.
 * Even so a call may get lost with a request that is just being cut off (one in ten thousand calls where clients hang up all the time, workerd
 * 1.20261102): what does not come back soon is called for again, because repeating a command does no harm (G2).
 */
export class RoomCalls {
  readonly #queues = new BoundedMap<string, Queue>(MOST_ROOMS);
  readonly #mayShare: boolean;

  /** `mayShare`: whether the platform continues a promise in the context of the request that made it, whoever settles it. */
  constructor(mayShare: boolean) {
    this.#mayShare = mayShare;
  }

  /** Rejects with what the call rejects with. */
  async execute(channelId: string, command: ActorCommand, caller: Caller): Promise<Outcome<CommandResult>> {
    if (!this.#mayShare) return await caller.callAlone(command);
    const queue = this.#queueOf(channelId);
    const own: Waiting = { command, taken: false, answer: null, wake: () => {} };
    await takeTurn(queue, own, caller);
    if (own.answer === null) await pause(own, OVERDUE_MS);
    if (own.answer === null) await takeTurn(queue, own, caller);
    if (own.answer === null) await pause(own, PATIENCE_MS - OVERDUE_MS);
    if (own.answer === null) return { problem: { code: 'unavailable', retry_after: 1 } };
    if (own.answer === 'alone') return await caller.callAlone(command);
    if ('error' in own.answer) throw own.answer.error;
    return own.answer;
  }

  #queueOf(channelId: string): Queue {
    const known = this.#queues.get(channelId);
    if (known) return known;
    const queue = { waiting: [], calling: false };
    this.#queues.set(channelId, queue);
    return queue;
  }
}

/** Resolves when a call carries the command. */
async function takeTurn(queue: Queue, own: Waiting, caller: Caller): Promise<void> {
  own.taken = false;
  queue.waiting.push(own);
  if (!queue.calling || queue.waiting.length >= MOST_COMMANDS) return call(queue, caller);
  await pause(own, queue.waiting[0] === own ? GATHER_MS : TAKE_OVER_MS);
  if (!own.taken) call(queue, caller);
}

/** The timer ends with the request: to clear it would cost as much as to set it. */
async function pause(own: Waiting, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  own.wake = resolve;
  setTimeout(resolve, ms);
  await promise;
}

/** Takes all that wait into one call. */
function call(queue: Queue, caller: Caller): void {
  const taken = queue.waiting;
  queue.waiting = [];
  queue.calling = true;
  for (const waiting of taken) waiting.taken = true;
  caller.keep(answerAll(queue, taken, caller));
}

async function answerAll(queue: Queue, taken: readonly Waiting[], caller: Caller): Promise<void> {
  const answers = await ask(taken, caller);
  queue.calling = false;
  taken.forEach((waiting, index) => {
    waiting.answer ??= answers(index);
    waiting.wake();
  });
  queue.waiting[0]?.wake();
}

async function ask(taken: readonly Waiting[], caller: Caller): Promise<(index: number) => Answer> {
  try {
    const outcomes = await caller.call(taken.map(({ command }) => command));
    return (index) => (outcomes[index] === null ? 'alone' : (outcomes[index] ?? { problem: { code: 'internal' } }));
  } catch (error) {
    return () => ({ error });
  }
}
