import type { Batch, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import type { Sql } from '../../db/client.ts';
import { readCursor, type Stream } from '../../db/queries/consumer-offsets.ts';
import type { Topic } from '../../protocol/topics.ts';
import { backoffDelay, pause } from './backoff.ts';
import { failureFields } from './classify.ts';
import { logPort } from './event-log-source.ts';
import type { BatchHandler, EventSource } from './event-source.ts';
import { cutFetched } from './kafka-batch.ts';
import { behind, nextStep, offsetOf, type Place } from './kafka-cursor.ts';
import { kafkaLag, withAdmin } from './kafka-lag.ts';
import { createMember, heartbeatEvery, leaveGroup, SESSION_TIMEOUT, streamsOf } from './kafka-member.ts';
import type { LogPlace } from './log-walk.ts';
import { type StreamLag, streamName } from './stream-lag.ts';
import { REPLAY_START, replayPage } from './topic-replay.ts';

export interface KafkaSourceOptions {
  readonly kafka: Kafka;
  readonly sql: Sql;
  readonly groupId: string;
  readonly topics: readonly Topic[];
  readonly log: Logger;
  /** Told when a partition is found to be of another topic than the stored cursor, and is started over. */
  readonly onStartOver?: (topic: Topic) => void;
  readonly batchRecords?: number;
  /** Milliseconds of silence after which the group gives a member's partitions away. */
  readonly sessionTimeout?: number;
}

const BATCH_RECORDS = 500;
const FAILURE = { first: 200, most: 5_000 };
const PARTITIONS_AT_ONCE = 3;
/** kafkajs' name for the first offset a partition still has. */
const EARLIEST = '-2';
/** Rows of the event log read at once in a replay. */
const REPLAY_ROWS = 5_000;

/**
 * Reads topics as a member of a Kafka consumer group. The offset row in Postgres is the truth: a partition is read from there on after
 * every assignment, and Kafka's own committed offset, written after the transaction, only shows the lag to Kafka's tools.
 *
 *   assigned ─▶ seek the record before the stored cursor ─it is the one─▶ hand over ─taken─▶ hand over the next …
 *                 ▲        │                                               │  ▲
 *                 │        └─another─▶ hand over the event log, seek the first record  └─ pause, heartbeating
 *                 └──────────────────────────stale─────────────────────────┤
 *                                                                          └─ rejected ─▶ (until the partition is given away, or the end)
 *
 * A topic that was deleted and made anew has other records under the same offsets, and what it held is gone. The group takes that from the event
 * log, then reads the topic from its start; what it has had already is dropped by its position.
 */
export class KafkaSource implements EventSource {
  readonly #options: KafkaSourceOptions;
  readonly #ending = new AbortController();
  /** Of each assigned partition; absent: not known since the last assignment. */
  readonly #places = new Map<string, Place>();
  readonly #abandoned = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** The streams that the group has given to this member, by name; null: it has not joined. */
  #held: ReadonlySet<string> | null = null;
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
    this.#abandoned.abort();
    this.#ending.abort();
  }

  lag(): Promise<readonly StreamLag[]> {
    const { kafka, sql, groupId, topics } = this.#options;
    return kafkaLag(kafka, sql).lag(groupId, topics);
  }

  holds(topic: Topic, partition: number): boolean {
    return this.#held?.has(streamName({ topic, partition })) ?? true;
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
    const { kafka, groupId, sessionTimeout = SESSION_TIMEOUT } = this.#options;
    const consumer = createMember(kafka, groupId, sessionTimeout);
    this.#consumer = consumer;
    const { promise: over, resolve, reject } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    this.#ending.signal.addEventListener('abort', end, { once: true });
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment));
    const started = this.#start(consumer, handler);
    try {
      await Promise.race([started, over]);
      await over;
    } finally {
      this.#ending.signal.removeEventListener('abort', end);
      this.#held = null;
      const isDraining = this.#ending.signal.aborted && !this.#abandoned.signal.aborted;
      await leaveGroup(consumer, started, isDraining ? this.#underWay : []);
    }
  }

  /** Resolves when the group is joined, for which the broker waits for the other members, or for those that died without a word. */
  async #start(consumer: Consumer, handler: BatchHandler): Promise<void> {
    await consumer.connect();
    await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: (payload) => this.#eachBatch(payload, handler),
    });
  }

  #joined(assignment: Readonly<Record<string, readonly number[]>>): void {
    this.#generation += 1;
    this.#places.clear();
    this.#held = streamsOf(assignment);
  }

  async #eachBatch(payload: EachBatchPayload, handler: BatchHandler): Promise<void> {
    const taking = this.#takeBeating(payload, handler);
    this.#underWay.add(taking);
    await taking.finally(() => this.#underWay.delete(taking));
  }

  /** An abandoned member beats no more, so that its partitions become another's. */
  async #takeBeating(payload: EachBatchPayload, handler: BatchHandler): Promise<void> {
    const lost = new AbortController();
    const heart = setInterval(() => {
      if (this.#abandoned.signal.aborted) clearInterval(heart);
      else payload.heartbeat().catch(() => lost.abort());
    }, heartbeatEvery(this.#options.sessionTimeout ?? SESSION_TIMEOUT));
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
    const stream = { groupId: this.#options.groupId, topic, partition: batch.partition };
    const place = await this.#placeFor(stream, batch, handler, signal);
    if (place === undefined) return;
    const messages = behind(place, batch.messages);
    if (messages.length === 0) payload.resolveOffset(batch.lastOffset());
    const fetched = { ...stream, messages, from: place.from, isAnew: place.state === 'anew' };
    for (const part of cutFetched(fetched, this.#options.batchRecords ?? BATCH_RECORDS)) {
      if (signal.aborted || !payload.isRunning() || payload.isStale() || generation !== this.#generation) return;
      const outcome = await this.#patiently(() => handler(part), signal);
      if (outcome === undefined || generation !== this.#generation) return;
      if (outcome === 'stale') {
        await this.#returnToStored(stream, signal);
        return;
      }
      this.#places.set(streamName(stream), { from: part.cursor, state: 'following' });
      payload.resolveOffset(part.lastOffset);
      // Only for Kafka's own tools; a rebalance in between shows in the next heartbeat.
      const offset = String(BigInt(part.lastOffset) + 1n);
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition: stream.partition, offset }] }] }).catch(() => {});
    }
  }

  /** The place that the fetched records continue; undefined if they do not, or it cannot be known now: the next fetch begins elsewhere then. */
  async #placeFor(stream: Stream, batch: Batch, handler: BatchHandler, signal: AbortSignal): Promise<Place | undefined> {
    const generation = this.#generation;
    const place = this.#places.get(streamName(stream)) ?? (await this.#storedPlace(stream, signal));
    if (place === undefined) return undefined;
    const isPast = await this.#endsBefore(stream, place, batch, signal);
    if (isPast === undefined || generation !== this.#generation) return undefined;
    const step = isPast ? 'another' : nextStep(place, batch.messages);
    if (step === 'another') await this.#startOver(stream, place, handler, signal);
    else if (step !== 'take') this.#seek(stream, place, step);
    else this.#keepPlace(stream, place, batch);
    return step === 'take' ? place : undefined;
  }

  async #storedPlace(stream: Stream, signal: AbortSignal): Promise<Place | undefined> {
    const from = await this.#patiently(() => readCursor(this.#options.sql, stream), signal);
    return from === undefined ? undefined : { from, state: 'unsought' };
  }

  async #returnToStored(stream: Stream, signal: AbortSignal): Promise<void> {
    const generation = this.#generation;
    const place = await this.#storedPlace(stream, signal);
    if (place !== undefined && generation === this.#generation) this.#seek(stream, place, offsetOf(place.from) ? 'seek' : 'begin');
  }

  /** Makes the next fetch begin where `step` says. */
  #seek(stream: Stream, { from }: Place, step: 'seek' | 'begin'): void {
    const { topic, partition } = stream;
    const next = offsetOf(from);
    const isSought = step === 'seek' && next !== null;
    this.#places.set(streamName(stream), { from, state: isSought ? 'sought' : 'anew' });
    this.#consumer?.seek({ topic, partition, offset: isSought ? String(next - 1n) : EARLIEST });
  }

  #keepPlace(stream: Stream, { from, state }: Place, batch: Batch): void {
    if (state === 'anew') return;
    this.#places.set(streamName(stream), { from, state: 'following' });
    const [next, first] = [offsetOf(from), BigInt(batch.messages[0]?.offset ?? 0)];
    if (state === 'sought' && next !== null && first > next) {
      const { topic, partition } = stream;
      this.#options.log.error({ topic, partition, next: String(next), first: String(first) }, 'records were past the retention of the topic before they were taken');
    }
  }

  /** The topic is another than the cursor is of. Where the replay is cut off, the next fetch finds that out again. */
  async #startOver(stream: Stream, place: Place, handler: BatchHandler, signal: AbortSignal): Promise<void> {
    const { topic, partition } = stream;
    this.#options.log.error({ topic, partition, cursor: place.from }, 'the topic was made anew: what it lost is taken from the event log');
    this.#options.onStartOver?.(topic);
    const generation = this.#generation;
    const isReplayed = await this.#replay(stream, place.from, handler, signal);
    if (generation !== this.#generation) return;
    if (isReplayed) this.#seek(stream, place, 'begin');
    else this.#places.delete(streamName(stream));
  }

  /** False if it was cut off, or others have moved the cursor. */
  async #replay({ topic, partition }: Stream, from: string | null, handler: BatchHandler, signal: AbortSignal): Promise<boolean> {
    const ends = await this.#patiently(() => this.#readEnds(topic), signal);
    if (ends === undefined) return false;
    const of = { topic, partition, partitions: ends.length };
    for (let place: LogPlace | null = REPLAY_START; place !== null; ) {
      const at: LogPlace = place;
      const step = await this.#patiently(() => replayPage(at, logPort(this.#options.sql, topic), of, from, REPLAY_ROWS), signal);
      const { batch } = step ?? { batch: null };
      const outcome = batch === null ? 'taken' : await this.#patiently(() => handler(batch), signal);
      if (step === undefined || outcome !== 'taken') return false;
      place = step.next;
    }
    return true;
  }

  /**
   * Whether a partition ends before a place in it. A leader that has just taken over names too early an end with the records it serves, but not
   * when it is asked for the end itself. Undefined if `signal` aborts first.
   */
  async #endsBefore({ topic, partition }: Stream, { from, state }: Place, { highWatermark }: Batch, signal: AbortSignal): Promise<boolean | undefined> {
    const next = offsetOf(from);
    if (state === 'anew' || next === null || BigInt(highWatermark) >= next) return false;
    const ends = await this.#patiently(() => this.#readEnds(topic), signal);
    return ends && BigInt(ends.find((end) => end.partition === partition)?.high ?? next) < next;
  }

  #readEnds(topic: Topic): Promise<{ partition: number; high: string; low: string }[]> {
    return withAdmin(this.#options.kafka, (admin) => admin.fetchTopicOffsets(topic));
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
