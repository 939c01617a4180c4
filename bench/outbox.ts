import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ITopicMetadata, Kafka } from 'kafkajs';
import { pino } from 'pino';
import { readIrcMessages } from '../cli/import/irc-file.ts';
import { connect, type Sql } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { startKafka } from '../dev/kafka/broker.ts';
import { startPostgres } from '../dev/postgres.ts';
import { createKafka, createTopics } from '../consumers/kafka/client.ts';
import { HEADERS } from '../protocol/topics.ts';
import { type BenchOptions, interruption } from './stack.ts';

/** An outbox and the broker it is relayed to, without anything that writes or reads. */
export interface Outbox {
  readonly sql: Sql;
  readonly databaseUrl: string;
  readonly brokers: string;
  readonly kafka: Kafka;
  /** Removed at the end. */
  readonly directory: string;
  /** Real messages. */
  readonly texts: readonly string[];
}

export const TOPIC = 'message.events';
/** A topic of the same shape, for whom the relay is compared with. */
export const PEER_TOPIC = 'bench.peer';
/** Most texts that are read of a log: more than any bench says. */
const MOST_TEXTS = 200_000;
const LOG_APPEND_TIME = { name: 'message.timestamp.type', value: 'LogAppendTime' };

/** Starts Postgres (durable, as in production) and a broker in a directory of their own, and ends and removes them whatever `work` does. */
export async function withOutbox<T>({ log, texts }: BenchOptions, work: (outbox: Outbox) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'colink-bench-'));
  // Postgres refuses root; its stand-in must be able to enter.
  await chmod(directory, 0o755);
  const interrupt = interruption();
  const endings: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })];
  try {
    log('starting Postgres and a broker');
    return await Promise.race([start(directory, texts, endings).then(work), interrupt.reached]);
  } finally {
    interrupt.release();
    for (const end of endings.toReversed()) await end();
  }
}

async function start(directory: string, log: string, endings: (() => Promise<unknown>)[]): Promise<Outbox> {
  const postgres = await startPostgres({ dataDir: join(directory, 'postgres') });
  endings.push(() => postgres.stop());
  await migrate(postgres.url);
  const { sql, close } = connect(postgres.url, { max: 4, applicationName: 'colink-bench' });
  endings.push(() => close(1));
  const broker = await startKafka({ dataDir: join(directory, 'kafka'), heapMegabytes: 512 });
  endings.push(() => broker.stop());
  const kafka = createKafka({ brokers: [broker.brokers], clientId: 'colink-bench', log: pino({ level: 'silent' }) });
  await prepareTopics(kafka);
  const texts: string[] = [];
  for await (const { text } of readIrcMessages(log, 0, MOST_TEXTS)) texts.push(text);
  return { sql, databaseUrl: postgres.url, brokers: broker.brokers, kafka, directory, texts };
}

/** Records of `message.events` bear the time at which the broker appended them. */
async function prepareTopics(kafka: Kafka): Promise<void> {
  await createTopics(kafka, 1);
  const admin = kafka.admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] });
  await admin.createTopics({ topics: [{ topic: PEER_TOPIC, numPartitions: partitionsOf(topics), replicationFactor: 1 }], waitForLeaders: true });
  // 2: a topic. https://kafka.apache.org/protocol, DescribeConfigs
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: TOPIC, configEntries: [LOG_APPEND_TIME] }] });
  await admin.disconnect();
}

const partitionsOf = (topics: readonly ITopicMetadata[]): number => topics[0]?.partitions.length ?? 1;

/** Records that a topic holds, repetitions included. */
export async function countRecords(kafka: Kafka, topic: string): Promise<number> {
  return [...(await readEnds(kafka, topic)).values()].reduce((sum, end) => sum + end, 0);
}

/** By partition, the offset behind its last record. */
export async function readEnds(kafka: Kafka, topic: string): Promise<Map<number, number>> {
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
}

/** When the broker had the records behind a log position, in ms since 1970, by position. Reads the whole topic. */
export async function readArrivals(kafka: Kafka, after: number): Promise<Map<number, number>> {
  const left = new Map([...(await readEnds(kafka, TOPIC))].filter(([, end]) => end > 0));
  const arrivals = new Map<number, number>();
  const { promise: isRead, resolve: read } = Promise.withResolvers<void>();
  const consumer = kafka.consumer({ groupId: `bench-${crypto.randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { headers, timestamp } of batch.messages) {
        const position = Number(headers?.[HEADERS.position]);
        if (position > after && !arrivals.has(position)) arrivals.set(position, Number(timestamp));
      }
      if (Number(batch.lastOffset()) + 1 >= (left.get(batch.partition) ?? 0)) left.delete(batch.partition);
      if (left.size === 0) read();
    },
  });
  await isRead;
  await consumer.disconnect();
  return arrivals;
}
