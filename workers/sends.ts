import type { Outcome } from '../protocol/errors.ts';
import type { CommandResult } from '../protocol/frames.ts';
import { BoundedMap } from './bounded-map.ts';

/** Sends that arrive within this time of the last call to their room wait as long and share the next one. In milliseconds. */
const GATHER_MS = 2;
const MOST_ITEMS = 100;
/** How long a request waits for a call that another request makes, in milliseconds. */
const PATIENCE_MS = 10_000;
const MOST_ROOMS = 10_000;

interface Waiting<Item> {
  readonly item: Item;
  readonly settle: (outcome: Outcome<CommandResult>) => void;
  readonly fail: (error: unknown) => void;
}

interface Queue<Item> {
  waiting: Waiting<Item>[];
  calledAt: number;
}

/** What the request at hand gives: the call of its room for many commands, and a way to have the platform finish a promise after its end. */
export interface Caller<Item> {
  call(items: readonly Item[]): Promise<Outcome<CommandResult>[]>;
  keep(work: Promise<unknown>): void;
}

/**
 * Shares calls to rooms among the requests of an isolate. A send on a quiet isolate leaves at once; under load a call carries many: the call is
 * half of what a send costs a Worker (5,500 sends/s one by one, 7,300 shared, 2026-11-23), and what the platform bills.
 *
 * A request may be cut off at any moment, and its timers with it. So each waiting request has its own timer to make the call, the call is kept
 * alive by the one that makes it, and nobody waits for another's longer than `PATIENCE_MS`: repeating a send does no harm.
 */
export class Sends<Item> {
  readonly #queues = new BoundedMap<string, Queue<Item>>(MOST_ROOMS);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Rejects with what the call rejects with. */
  execute(channelId: string, item: Item, caller: Caller<Item>): Promise<Outcome<CommandResult>> {
    const queue = this.#queueOf(channelId);
    return new Promise((resolve, reject) => {
      if (this.#now() - queue.calledAt >= GATHER_MS || queue.waiting.length >= MOST_ITEMS) {
        queue.waiting.push({ item, settle: resolve, fail: reject });
        return this.#call(queue, caller);
      }
      const timers = [
        setTimeout(() => this.#call(queue, caller), GATHER_MS),
        setTimeout(() => resolve({ problem: { code: 'unavailable', retry_after: 1 } }), PATIENCE_MS),
      ];
      const stop = (): void => timers.forEach((timer) => clearTimeout(timer));
      queue.waiting.push({ item, settle: (outcome) => (stop(), resolve(outcome)), fail: (error) => (stop(), reject(error)) });
    });
  }

  #queueOf(channelId: string): Queue<Item> {
    const known = this.#queues.get(channelId);
    if (known) return known;
    const queue = { waiting: [], calledAt: Number.NEGATIVE_INFINITY };
    this.#queues.set(channelId, queue);
    return queue;
  }

  #call(queue: Queue<Item>, caller: Caller<Item>): void {
    const items = queue.waiting;
    if (items.length === 0) return;
    queue.waiting = [];
    queue.calledAt = this.#now();
    caller.keep(settleAll(items, caller));
  }
}

async function settleAll<Item>(items: readonly Waiting<Item>[], caller: Caller<Item>): Promise<void> {
  try {
    const outcomes = await caller.call(items.map(({ item }) => item));
    items.forEach(({ settle }, index) => settle(outcomes[index] ?? { problem: { code: 'internal' } }));
  } catch (error) {
    for (const { fail } of items) fail(error);
  }
}
