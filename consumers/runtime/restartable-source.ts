import type { Topic } from '../../protocol/topics.ts';
import type { BatchHandler, EventSource } from './event-source.ts';
import type { StreamLag } from './stream-lag.ts';

/**
 * A source whose instance can be replaced while it runs, for when it hangs in something that has no end. Whatever the one that is left behind
 * may still finish is fenced by the stored cursor, as another process's would be.
 */
export class RestartableSource implements EventSource {
  readonly #create: () => EventSource;
  #current: EventSource;
  #replaced = Promise.withResolvers<void>();
  #isEnding = false;
  #running: Promise<void> | null = null;

  constructor(create: () => EventSource) {
    this.#create = create;
    this.#current = create();
  }

  run(handler: BatchHandler): Promise<void> {
    this.#running ??= this.#runEach(handler);
    return this.#running;
  }

  drain(): Promise<void> {
    this.#isEnding = true;
    return this.#current.drain();
  }

  stop(): Promise<void> {
    this.#isEnding = true;
    return this.#current.stop();
  }

  lag(): Promise<readonly StreamLag[]> {
    return this.#current.lag();
  }

  holds(topic: Topic, partition: number): boolean {
    return this.#current.holds(topic, partition);
  }

  /** Leaves the present instance to itself and goes on with a new one. Nothing once the source is to end. */
  restart(): void {
    if (this.#isEnding) return;
    this.#current.stop().catch(() => {});
    this.#replaced.resolve();
  }

  async #runEach(handler: BatchHandler): Promise<void> {
    for (;;) {
      await Promise.race([this.#current.run(handler), this.#replaced.promise]);
      if (this.#isEnding) return;
      this.#current = this.#create();
      this.#replaced = Promise.withResolvers<void>();
    }
  }
}
