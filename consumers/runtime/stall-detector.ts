import { type StreamLag, streamName } from './stream-lag.ts';

/**
 * Tells silent stalls: a stream that has records to take, whose cursor has not moved for `stallMs`, and of which no batch was stored or failed either. A
 * group that fails waits for a part that is away, says so in the log, and goes on by itself; one that replays a topic stores batches under one cursor.
 */
export class StallDetector {
  readonly #stallMs: number;
  /** Of each stream that lagged at the last look: its cursor, and since when it has been that. */
  #seen = new Map<string, { readonly cursor: string | null; readonly since: number }>();

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
  }

  /**
   * `streams`: those that the source holds. `actedAt`: when a batch of the stream was stored or failed last; null: never. Times in milliseconds of one
   * clock. Returns the names of the streams that are stalled.
   */
  look(streams: readonly StreamLag[], now: number, actedAt: (stream: StreamLag) => number | null): string[] {
    const seen = new Map<string, { cursor: string | null; since: number }>();
    for (const stream of streams.filter(({ records }) => records > 0)) {
      const before = this.#seen.get(streamName(stream));
      const since = before?.cursor === stream.cursor ? before.since : now;
      seen.set(streamName(stream), { cursor: stream.cursor, since: Math.max(since, actedAt(stream) ?? since) });
    }
    this.#seen = seen;
    return [...seen].filter(([, { since }]) => now - since >= this.#stallMs).map(([name]) => name);
  }

  /** Begins anew: after a restart, or where the lag cannot be known. */
  forget(): void {
    this.#seen.clear();
  }
}
