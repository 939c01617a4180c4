import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import type { Sql } from '../../db/client.ts';
import { readCursor, readCursors } from '../../db/queries/consumer-offsets.ts';
import type { Topic } from '../../protocol/topics.ts';
import { backoffDelay, pause } from './backoff.ts';
import { failureFields } from './classify.ts';
import type { BatchHandler, EventSource } from './event-source.ts';
import { cutFetched, offsetOf } from './kafka-batch.ts';

export interface KafkaSourceOptions {
  readonly kafka: Kafka;
  readonly sql: Sql;
  readonly groupId: string;
  readonly topics: readonly Topic[];
  readonly log: Logger;
  readonly batchRecords?: number;
  /** Milliseconds of silence after which the group gives a member's partitions away. */
  readonly sessionTimeout?: number;
}

const BATCH_RECORDS = 500;
/** How long a killed member's partitions wait for it, in milliseconds. The broker takes no less than 6 s by default. */
const SESSION_TIMEOUT = 10_000;
const HEARTBEATS_A_SESSION = 10;
const FAILURE = { first: 200, most: 5_000 };
const PARTITIONS_AT_ONCE = 3;
/** kafkajs' name for the first offset a partition still has. */
const EARLIEST = '-2';

/**
 * Reads topics as a member of a Kafka consumer group. The offset row in Postgres is the truth: a partition is read from there on after
 * every assignment, and Kafka's own committed offset, written after the transaction, only shows the lag to Kafka's tools.
 *
 *   assigned ─▶ seek to the stored cursor ─▶ hand over ─taken─▶ hand over the next …
 *                          ▲                    │  ▲
 *                          └───────stale────────┤  └─ pause, heartbeating
 *                                               └─ rejected ─▶ (until the partition is given away, or the end)
 */
export class KafkaSource implements EventSource {
  readonly #options: KafkaSourceOptions;
  readonly #ending = new AbortController();
  /** The cursor each assigned partition is read on from; absent: not sought since the last assignment. */
  readonly #froms = new Map<string, string | null>();
  #generation = 0;
  #consumer: Consumer | null = null;
  #running: Promise<void> | null = null;

  constructor(options: KafkaSourceOptions) {
    this.#options = options;
  }

  run(handler: BatchHandler): Promise<void> {
    this.#running ??= this.#rejoinUntilEnd(handler);
    return this.#running;
  }

  async drain(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  /** What is under way goes on beside it; the stored cursor keeps it from doing harm. */
  async stop(): Promise<void> {
    this.#ending.abort();
    this.#consumer?.disconnect().catch(() => {});
  }

  async lag(): Promise<number> {
    const admin = this.#options.kafka.admin();
    await admin.connect();
    try {
      let lag = 0n;
      for (const topic of this.#options.topics) {
        const cursors = await readCursors(this.#options.sql, this.#options.groupId, topic);
        for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
          lag += BigInt(high) - (offsetOf(cursors.get(partition) ?? null) ?? BigInt(low));
        }
      }
      return Number(lag);
    } finally {
      await admin.disconnect();
    }
  }

  async #rejoinUntilEnd(handler: BatchHandler): Promise<void> {
    for (let failures = 1; !this.#ending.signal.aborted; failures += 1) {
      const joinedAt = Date.now();
      await this.#consume(handler).catch((error: unknown) => {
        if (!this.#ending.signal.aborted) this.#options.log.warn(failureFields(error), 'the group member starts again');
      });
      if (Date.now() - joinedAt > FAILURE.most * 2) failures = 1;
      await pause(backoffDelay(FAILURE, failures, Math.random), this.#ending.signal);
    }
  }

  /** One membership, from joining to its end: resolves when it is to end, rejects when it broke. */
  async #consume(handler: BatchHandler): Promise<void> {
    const consumer = this.#createConsumer();
    this.#consumer = consumer;
    const { promise: over, resolve, reject } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    this.#ending.signal.addEventListener('abort', end, { once: true });
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer.on(consumer.events.GROUP_JOIN, () => {
      this.#generation += 1;
      this.#froms.clear();
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch: (payload) => this.#eachBatch(payload, handler),
      });
      await over;
    } finally {
      this.#ending.signal.removeEventListener('abort', end);
      await consumer.disconnect();
    }
  }

  #createConsumer(): Consumer {
    const { kafka, groupId, sessionTimeout = SESSION_TIMEOUT } = this.#options;
    return kafka.consumer({
      groupId,
      sessionTimeout,
      heartbeatInterval: sessionTimeout / HEARTBEATS_A_SESSION,
      maxWaitTimeInMs: 200,
      allowAutoTopicCreation: false,
      // A broken membership is replaced here: kafkajs' own restart cannot be called off while it waits.
      retry: { initialRetryTime: 100, retries: 2, restartOnFailure: async () => false },
    });
  }

  async #eachBatch(payload: EachBatchPayload, handler: BatchHandler): Promise<void> {
    const lost = new AbortController();
    const every = (this.#options.sessionTimeout ?? SESSION_TIMEOUT) / HEARTBEATS_A_SESSION;
    const heart = setInterval(() => {
      payload.heartbeat().catch(() => lost.abort());
    }, every);
    try {
      await this.#takeFetched(payload, handler, AbortSignal.any([lost.signal, this.#ending.signal]));
    } finally {
      clearInterval(heart);
    }
  }

  async #takeFetched({ batch, ...payload }: EachBatchPayload, handler: BatchHandler, signal: AbortSignal): Promise<void> {
    const generation = this.#generation;
    const topic = this.#options.topics.find((known) => known === batch.topic);
    if (topic === undefined) return;
    const { partition, messages } = batch;
    const from = await this.#position(topic, partition, messages[0]?.offset, signal);
    if (from === undefined) return;
    for (const part of cutFetched({ topic, partition, messages, from }, this.#options.batchRecords ?? BATCH_RECORDS)) {
      if (signal.aborted || !payload.isRunning() || payload.isStale() || generation !== this.#generation) return;
      const outcome = await this.#patiently(() => handler(part), signal);
      if (outcome === undefined || generation !== this.#generation) return;
      if (outcome === 'stale') {
        await this.#seek(topic, partition, signal);
        return;
      }
      this.#froms.set(streamKey(topic, partition), part.cursor);
      payload.resolveOffset(part.lastOffset);
      // Only for Kafka's own tools; a rebalance in between shows in the next heartbeat.
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset: part.cursor }] }] }).catch(() => {});
    }
  }

  /** The stored cursor the fetched records follow; undefined if they do not, or it cannot be known now: a seek is under way then. */
  async #position(topic: Topic, partition: number, firstOffset: string | undefined, signal: AbortSignal): Promise<string | null | undefined> {
    const known = this.#froms.get(streamKey(topic, partition));
    if (known !== undefined) return known;
    const from = await this.#seek(topic, partition, signal, firstOffset);
    return from;
  }

  /** Reads the stored cursor and makes the next fetch begin there. Returns it if `firstOffset` is just that place, undefined otherwise. */
  async #seek(topic: Topic, partition: number, signal: AbortSignal, firstOffset?: string): Promise<string | null | undefined> {
    const { sql, groupId } = this.#options;
    const generation = this.#generation;
    const stored = await this.#patiently(() => readCursor(sql, { groupId, topic, partition }), signal);
    if (stored === undefined || generation !== this.#generation) return undefined;
    this.#froms.set(streamKey(topic, partition), stored);
    const offset = offsetOf(stored);
    if (offset !== null && String(offset) === firstOffset) return stored;
    this.#consumer?.seek({ topic, partition, offset: offset === null ? EARLIEST : String(offset) });
    return undefined;
  }

  /** Tries until it succeeds; undefined if `signal` aborts first. */
  async #patiently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        return await work();
      } catch (error) {
        this.#options.log.warn(failureFields(error), 'the batch waits');
      }
      await pause(backoffDelay(FAILURE, failures, Math.random), signal);
    }
    return undefined;
  }
}

function streamKey(topic: Topic, partition: number): string {
  return `${topic}/${partition}`;
}
