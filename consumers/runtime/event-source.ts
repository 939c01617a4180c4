import type { Topic } from '../../protocol/topics.ts';
import type { SourceRecord } from './record.ts';
import type { StreamLag } from './stream-lag.ts';

/** Records of one stream, in its order. */
export interface SourceBatch {
  readonly topic: Topic;
  readonly partition: number;
  readonly records: readonly SourceRecord[];
  /** The cursor to store once all of them are taken. */
  readonly cursor: string;
  /**
   * Those of `records` that lie behind the stored cursor. Null: the batch does not continue it, so nothing of it may be taken and the
   * source has to read from the stored cursor again.
   */
  unseen(stored: string | null): readonly SourceRecord[] | null;
}

/**
 * Takes a batch over: its effects and its cursor in one transaction. `stale` when `unseen` was null. Rejects when the batch could not be
 * taken for reasons outside its data; nothing is stored then.
 */
export type BatchHandler = (batch: SourceBatch) => Promise<'taken' | 'stale'>;

/**
 * Where a group's records come from. Every record is handed over in its stream's order until the handler has taken it, over any number
 * of stops, crashes and takeovers; the cursor the handler stores in Postgres is the truth, the source's own bookkeeping is not.
 */
export interface EventSource {
  /** Hands batches over until drained or stopped. A batch the handler rejects is handed over again after a pause, and nothing moves past it. */
  run(handler: BatchHandler): Promise<void>;
  /** Finishes the batch under way, then leaves. */
  drain(): Promise<void>;
  /** Leaves without waiting for the batch under way. */
  stop(): Promise<void>;
  /** Records not yet taken of each stream, whoever reads it. Rejects where they cannot be known now. */
  lag(): Promise<readonly StreamLag[]>;
  /** Whether it falls to this instance to read the stream now. True, too, while it is to be learnt, as before a group is joined. */
  holds(topic: Topic, partition: number): boolean;
}
