import { TYPING_EVERY_SECONDS } from '../protocol/limits.ts';
import type { Clock } from './ports.ts';

/**
 * The server ends an entry by a new list, 5 s after its last renewal, and does not repeat a list for renewals. A socket that lagged may have missed
 * the end: then nobody types on this long.
 */
const LIST_ENDS_AFTER_MS = 30_000;

export interface Typist {
  readonly user_id: string;
  readonly thread_id: string | null;
}

interface Options {
  readonly clock: Clock;
  readonly tell: (threadId: string | null) => void;
  readonly changed: (typists: readonly Typist[]) => void;
}

/** Who types in a channel, and the telling of it: at most once in 3 s. */
export class Typing {
  readonly #options: Options;
  #typists: readonly Typist[] = [];
  #toldAt = -Infinity;
  #cancelEnd: () => void = () => {};

  constructor(options: Options) {
    this.#options = options;
  }

  get typists(): readonly Typist[] {
    return this.#typists;
  }

  /** The user has pressed a key; call it as often as that happens. */
  typed(threadId: string | null): void {
    const now = this.#options.clock.now();
    if (now - this.#toldAt < TYPING_EVERY_SECONDS * 1_000) return;
    this.#toldAt = now;
    this.#options.tell(threadId);
  }

  /** The whole list. */
  received(typists: readonly Typist[]): void {
    this.#cancelEnd();
    if (typists.length > 0) this.#cancelEnd = this.#options.clock.after(LIST_ENDS_AFTER_MS, () => this.#set([]));
    this.#set(typists);
  }

  /** A message of theirs is there: they are done. */
  wrote(userIds: ReadonlySet<string>): void {
    const left = this.#typists.filter(({ user_id }) => !userIds.has(user_id));
    if (left.length < this.#typists.length) this.#set(left);
  }

  clear(): void {
    this.received([]);
  }

  #set(typists: readonly Typist[]): void {
    if (typists.length === 0 && this.#typists.length === 0) return;
    this.#typists = typists;
    this.#options.changed(typists);
  }
}
