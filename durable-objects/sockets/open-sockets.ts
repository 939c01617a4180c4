import type { Problem } from '../../protocol/errors.ts';
import type { SocketLimits } from './socket-limits.ts';

const full: Problem = { code: 'unavailable', detail: 'There are as many sockets as there may be', retry_after: 30 };

/** The sockets of all objects of a process, those that sleep included: a process has so many open files for all of them together. */
export class OpenSockets {
  readonly #counts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** The object has so many now. */
  report(object: string, sockets: number): void {
    this.#total += sockets - (this.#counts.get(object) ?? 0);
    if (sockets > 0) this.#counts.set(object, sockets);
    else this.#counts.delete(object);
  }

  /** Why no object takes one more, or null. */
  refusal({ process }: SocketLimits): Problem | null {
    return this.#total >= process ? full : null;
  }
}

/** Objects of one script share a process and its memory in a local workerd (2026-11); where they do not, each counts what is near it. */
export const openSockets = new OpenSockets();
