import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Message, Partitioners } from 'kafkajs';
import { pino } from 'pino';
import { RecordSender } from '../consumers/kafka/record-sender.ts';
import { kafkaSink } from '../consumers/outbox-relay/kafka-sink.ts';
import { createRelay, type RecordSink } from '../consumers/outbox-relay/relay.ts';
import { logHeaders } from '../consumers/runtime/record.ts';
import type { LogRow } from '../db/queries/event-log.ts';
import { eventsOf, take } from './messages.ts';
import { countRecords, type Outbox, PEER_TOPIC, readArrivals, TOPIC, withOutbox } from './outbox.ts';
import { appendEvents, type OutboxEvent } from './queries.ts';
import { bar, exact, type BenchResult, roundedAll } from './report.ts';
import type { BenchOptions } from './stack.ts';
import { median, percentile } from './statistics.ts';

/**
 * Events of a backlog that the relay carries in a second: out of Postgres, into the topic with all acks, its place stored. Beside it, in turns, kafkajs's own
 * producer, which sends the same records from memory in batches as large. And how long an event takes from its commit into the topic at a
 * steady rate.
 */
const BACKLOG = 40_000;
const WARM_UP = 15_000;
const ROUNDS = 3;
const APPEND = 2_000;
const PEER_BATCH = 5_000;
const PER_SECOND = 1_000;
const SECONDS = 20;
/** Events of one commit, as a drain brings them. */
const COMMIT = 10;
const SETTLE_MS = 1_000;

export function benchRelay(options: BenchOptions): Promise<BenchResult> {
  return withOutbox(options, async (outbox) => {
    const events = eventsOf(outbox.texts);
    await round(outbox, events, WARM_UP);
    const rounds: Round[] = [];
    for (let n = 0; n < ROUNDS; n += 1) {
      rounds.push(await round(outbox, events, BACKLOG));
      options.log(`backlog ${n + 1}: relay ${Math.round(rounds[n]?.relay ?? 0)}/s, kafkajs ${Math.round(rounds[n]?.peer ?? 0)}/s`);
    }
    options.log(`${PER_SECOND} events/s for ${SECONDS} s`);
    const steady = await runSteadily(outbox, events);
    return summarise(rounds, steady, (await countRecords(outbox.kafka, TOPIC)) - WARM_UP - ROUNDS * BACKLOG - PER_SECOND * SECONDS);
  });
}

/** Events a second. */
interface Round {
  readonly relay: number;
  readonly peer: number;
}

/** The same records both ways: what the relay has read is what kafkajs then sends. */
async function round(outbox: Outbox, events: Iterator<OutboxEvent, never>, count: number): Promise<Round> {
  for (let left = count; left > 0; left -= APPEND) await appendEvents(outbox.sql, take(events, Math.min(left, APPEND)));
  const carried: LogRow[] = [];
  const relay = await timed(count, () => carryBacklog(outbox, count, carried));
  return { relay, peer: await sendByKafkajs(outbox, carried) };
}

async function timed(count: number, work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - startedAt);
}

/** From a relay's start, its taking of the lead included, until the place behind the last event is stored. */
async function carryBacklog(outbox: Outbox, count: number, carried: LogRow[]): Promise<void> {
  const { promise: isDone, resolve: done } = Promise.withResolvers<void>();
  let sent = 0;
  const relay = startRelay(outbox, (rows) => {
    sent += rows;
    if (sent >= count) done();
  }, carried);
  await isDone;
  await relay.drain();
}

function startRelay({ databaseUrl, kafka }: Outbox, onSent: (rows: number) => void, carried?: LogRow[]) {
  const sink = kafkaSink(new RecordSender(kafka));
  const kept: RecordSink = { close: (hard) => sink.close(hard), send: (rows) => (carried?.push(...rows), sink.send(rows)) };
  const relay = createRelay({ databaseUrl, sink: kept, log: pino({ level: 'silent' }), onSent });
  void relay.run();
  return relay;
}

async function sendByKafkajs({ kafka }: Outbox, rows: readonly LogRow[]): Promise<number> {
  const messages = rows.map((row): Message => ({ key: row.key, value: row.data, headers: logHeaders(row) }));
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const perSecond = await timed(rows.length, async () => {
    for (let start = 0; start < messages.length; start += PEER_BATCH) {
      await producer.sendBatch({ acks: -1, topicMessages: [{ topic: PEER_TOPIC, messages: messages.slice(start, start + PEER_BATCH) }] });
    }
  });
  await producer.disconnect();
  return perSecond;
}

interface Steady {
  /** From just before the commit was asked for until the broker had the event, in ms. */
  readonly delays: readonly number[];
  readonly perSecond: number;
}

async function runSteadily(outbox: Outbox, events: Iterator<OutboxEvent, never>): Promise<Steady> {
  const relay = startRelay(outbox, () => {});
  const askedAt = new Map<number, number>();
  const startedAt = performance.now();
  const commits: Promise<void>[] = [];
  for (let n = 0; n < (PER_SECOND * SECONDS) / COMMIT; n += 1) {
    await sleep(Math.max(0, startedAt + (n * COMMIT * 1_000) / PER_SECOND - performance.now()));
    commits.push(commit(outbox, take(events, COMMIT), askedAt));
  }
  await Promise.all(commits);
  const perSecond = (askedAt.size * 1_000) / (performance.now() - startedAt);
  await sleep(SETTLE_MS);
  await relay.drain();
  const arrivals = await readArrivals(outbox.kafka, Math.min(...askedAt.keys()) - 1);
  return { perSecond, delays: [...askedAt].map(([position, asked]) => (arrivals.get(position) ?? Infinity) - asked) };
}

async function commit({ sql }: Outbox, events: readonly OutboxEvent[], askedAt: Map<number, number>): Promise<void> {
  const asked = performance.timeOrigin + performance.now();
  for (const position of await appendEvents(sql, events)) askedAt.set(position, asked);
}

function summarise(rounds: readonly Round[], { delays, perSecond }: Steady, surplus: number): BenchResult {
  const relay = median(rounds.map((each) => each.relay));
  const peer = median(rounds.map((each) => each.peer));
  const ratio = median(rounds.map((each) => each.relay / each.peer));
  const p99 = percentile(delays, 0.99);
  return {
    bench: 'relay',
    figures: roundedAll({
      relay_per_s: relay,
      kafkajs_per_s: peer,
      steady_per_s: perSecond,
      commit_to_topic_p50_ms: percentile(delays, 0.5),
      commit_to_topic_p95_ms: percentile(delays, 0.95),
      commit_to_topic_p99_ms: p99,
      load_1_minute: loadavg()[0] ?? Number.NaN,
    }),
    ratios: roundedAll({ relay_to_kafkajs: ratio }),
    bars: [
      fastEnough(relay, ratio),
      bar('commit_to_topic_p99_ms', p99, { at_most: 150 }),
      bar('steady_per_s', perSecond, { at_least: PER_SECOND * 0.95 }),
      exact('lost', delays.filter((delay) => delay === Infinity).length, 0),
      exact('repeated', surplus, 0),
    ],
  };
}

/** 20,000 events/s, or 60 % of what kafkajs alone reaches on the same machine. */
function fastEnough(relay: number, ratio: number) {
  return relay >= 20_000 ? bar('relay_per_s', relay, { at_least: 20_000 }) : bar('relay_to_kafkajs', ratio, { at_least: 0.6 });
}
