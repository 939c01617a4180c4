import type { Clock } from '../ports.ts';

/** A clock that moves only when told to. Promises settle between any two timers. */
export class FakeClock implements Clock {
  #now = 1_000_000;
  #timers = new Map<symbol, { readonly at: number; readonly task: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): () => void {
    const key = Symbol();
    this.#timers.set(key, { at: this.#now + ms, task });
    return () => void this.#timers.delete(key);
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let due = this.#due(end); due; due = this.#due(end)) {
      const [key, { at, task }] = due;
      this.#timers.delete(key);
      this.#now = at;
      task();
      await settle();
    }
    this.#now = end;
  }

  get pending(): number {
    return this.#timers.size;
  }

  #due(end: number) {
    return [...this.#timers].filter(([, { at }]) => at <= end).toSorted(([, a], [, b]) => a.at - b.at)[0];
  }
}

/** Lets everything run that waits for promises only. */
export const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
