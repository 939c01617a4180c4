import { ConstantBackoff, handleAll, retry } from 'cockatiel';
import { type ITopicConfig, Kafka, logLevel, type logCreator } from 'kafkajs';
import type { Logger } from 'pino';
import { deadLetterTopic, type Topic, TOPICS } from '../../protocol/topics.ts';

export interface KafkaOptions {
  /** `host:port`, one or more. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Logger;
}

/** A client whose log goes to ours. */
export function createKafka({ brokers, clientId, log }: KafkaOptions): Kafka {
  return new Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    // Those who use the client wait longer themselves, in sight of a shutdown.
    retry: { initialRetryTime: 100, retries: 2 },
    logLevel: logLevel.WARN,
    logCreator: toPino(log),
  });
}

function toPino(log: Logger): logCreator {
  return () => ({ namespace, level, log: { message, error } }) => {
    const fields = { namespace, ...(error !== undefined && { error: String(error) }) };
    if (level <= logLevel.ERROR) log.error(fields, message);
    else log.warn(fields, message);
  };
}

const readyToServe = retry(handleAll, { maxAttempts: 20, backoff: new ConstantBackoff(100) });
const DAY_MS = 24 * 60 * 60 * 1_000;
/** Dead letters wait for a person in their table. A copy stays no longer than the topic it comes from: what was deleted is gone from all after that. */
const DEAD_LETTER_DAYS = 30;
/** A record as large as its topic takes has to fit with the headers that say why it died. */
const DEAD_LETTER_BYTES = String(4 * 1024 * 1024);

/** Creates the topics that are missing, each with its `dlq.` twin, and waits until they serve; never changes one that is there. */
export async function createTopics(kafka: Kafka, replicationFactor: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const present = new Set(await admin.listTopics());
    const missing = allTopics(replicationFactor).filter(({ topic }) => !present.has(topic));
    if (missing.length === 0) return;
    await admin.createTopics({ topics: missing, waitForLeaders: true });
    // A leader is named some milliseconds before it knows of its duty.
    await readyToServe.execute(() => Promise.all(missing.map(({ topic }) => admin.fetchTopicOffsets(topic))));
  } finally {
    await admin.disconnect();
  }
}

function allTopics(replicationFactor: number): ITopicConfig[] {
  return (Object.keys(TOPICS) as Topic[]).flatMap((topic) => {
    const { partitions, retentionDays } = TOPICS[topic];
    return [
      topicConfig(topic, partitions, replicationFactor, retentionDays),
      topicConfig(deadLetterTopic(topic), 1, replicationFactor, DEAD_LETTER_DAYS, [{ name: 'max.message.bytes', value: DEAD_LETTER_BYTES }]),
    ];
  });
}

function topicConfig(
  topic: string, numPartitions: number, replicationFactor: number, retentionDays: number, more: { name: string; value: string }[] = [],
): ITopicConfig {
  return {
    topic,
    numPartitions,
    replicationFactor,
    configEntries: [
      { name: 'retention.ms', value: String(retentionDays * DAY_MS) },
      // The broker's own time, for retention goes by it: the relay's clock may be wrong, and records from an hour ahead would be refused (Kafka 4).
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
      // One replica may be away; an acknowledged record is on two.
      { name: 'min.insync.replicas', value: String(replicationFactor > 1 ? 2 : 1) },
      ...more,
    ],
  };
}
