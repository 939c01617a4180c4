import type postgres from 'postgres';
import type { z } from 'zod';
import type { Topic } from '../../protocol/topics.ts';

/** A record past the border: its key, its place in the event log, its event. */
export interface Consumed<E> {
  readonly key: string;
  readonly position: number;
  readonly event: E;
}

/** What makes a consumer group: the rest is the same for all. */
export interface ConsumerGroup<E extends { readonly type: string }> {
  readonly id: string;
  readonly topics: readonly Topic[];
  /** The `ce_type`s it reads. Other types pass by; another major version of one of these is a dead letter. */
  readonly types: ReadonlySet<string>;
  readonly schema: z.ZodType<E>;
  /** Applies events in order, all or none, inside the batch's transaction. May be given the same events again after a failure. */
  apply(tx: postgres.TransactionSql, events: readonly Consumed<E>[]): Promise<void>;
}
