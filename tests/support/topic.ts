import { type KafkaMessage, Kafka, logLevel } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { channelEventSchema } from '../../protocol/events.ts';
import { HEADERS, type Topic } from '../../protocol/topics.ts';
import type { LogRecord } from './fold.ts';

const MESSAGES: Topic = 'message.events';
/** How long the broker may hand over nothing. */
const SILENCE_MS = 30_000;

/** A record as it lies in the topic. */
export interface TopicRecord {
  readonly position: number;
  readonly key: string;
  readonly value: string;
}

/** All records of a channel on `message.events`, in offset order, up to where the topic ended when this was called. `brokers`: comma-separated. */
export async function readTopic(brokers: string, channelId: string): Promise<LogRecord[]> {
  return (await readTopics(brokers, new Set([channelId]))).get(channelId) ?? [];
}

/** The same of several channels, in one reading. */
export async function readTopics(brokers: string, channelIds: ReadonlySet<string>): Promise<Map<string, LogRecord[]>> {
  const byKey = Map.groupBy(await readRecords(brokers, channelIds), ({ key }) => key);
  const logged = ({ position, value }: TopicRecord): LogRecord => ({ position, event: channelEventSchema.parse(JSON.parse(value)) });
  return new Map([...byKey].map(([key, records]) => [key, records.map(logged)]));
}

/** The records of these keys (null: of all) on a topic, each key's in offset order, up to where the topic ended when this was called. */
export async function readRecords(brokers: string, keys: ReadonlySet<string> | null, topic: Topic = MESSAGES): Promise<TopicRecord[]> {
  const kafka = new Kafka({ clientId: 'colink-tests', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const ends = await endOffsets(kafka, topic);
  if (ends.size === 0) return [];
  const records: TopicRecord[] = [];
  let heardAt = performance.now();
  const consumer = kafka.consumer({ groupId: `tests-${crypto.randomUUID()}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        heardAt = performance.now();
        for (const message of batch.messages) if (keys?.has(message.key?.toString() ?? '') ?? true) records.push(recordOf(message));
        if (Number(batch.lastOffset()) + 1 >= (ends.get(batch.partition) ?? 0)) ends.delete(batch.partition);
      },
    });
    for (; ends.size > 0; await sleep(50)) {
      if (performance.now() - heardAt > SILENCE_MS) throw new Error(`${topic} was not read to its end: partitions ${[...ends.keys()].join(', ')}`);
    }
    return records;
  } finally {
    await consumer.disconnect();
  }
}

/** The partitions that hold anything, with the offset after the last record. */
async function endOffsets(kafka: Kafka, topic: Topic): Promise<Map<number, number>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.filter(({ high, low }) => Number(high) > Number(low)).map(({ partition, high }) => [partition, Number(high)]));
  } finally {
    await admin.disconnect();
  }
}

function recordOf({ key, value, headers }: KafkaMessage): TopicRecord {
  return { position: Number(headers?.[HEADERS.position]?.toString()), key: key?.toString() ?? '', value: value?.toString() ?? 'null' };
}
