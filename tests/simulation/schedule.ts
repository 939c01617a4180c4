import type { Clock } from '../../client/ports.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  task: (() => void) | null;
}

/** The one clock of a simulation: nothing happens but a timer's task and what follows from it without waiting. */
export class Schedule implements Clock {
  #now = Date.UTC(2026, 10, 26);
  #order = 0;
  readonly #heap: Timer[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, Math.ceil(ms)), order: this.#order++, task };
    push(this.#heap, timer);
    return () => (timer.task = null);
  }

  delay(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Runs what is due within `ms`, each timer with all that follows from it before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let timer = this.#due(end); timer !== null; timer = this.#due(end)) {
      this.#now = timer.at;
      timer.task?.();
      await settle();
    }
    this.#now = end;
  }

  #due(end: number): Timer | null {
    while (this.#heap[0] !== undefined && this.#heap[0].at <= end) {
      const timer = pop(this.#heap);
      if (timer.task !== null) return timer;
    }
    return null;
  }
}

/** Lets everything run that waits for promises only. */
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Timer[], timer: Timer): void {
  let index = heap.push(timer) - 1;
  for (let parent = (index - 1) >> 1; index > 0; parent = (index - 1) >> 1) {
    const above = heap[parent];
    if (above === undefined || before(above, timer)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = timer;
}

function pop(heap: Timer[]): Timer {
  const [top] = heap;
  const last = heap.pop();
  if (top === undefined || last === undefined) throw new Error('no timer is left');
  if (heap.length > 0) sink(heap, last);
  return top;
}

function sink(heap: Timer[], timer: Timer): void {
  let index = 0;
  for (;;) {
    const left = heap[2 * index + 1];
    const right = heap[2 * index + 2];
    const [child, at] = left !== undefined && right !== undefined && before(right, left) ? [right, 2 * index + 2] : [left, 2 * index + 1];
    if (child === undefined || !before(child, timer)) break;
    heap[index] = child;
    index = at;
  }
  heap[index] = timer;
}
