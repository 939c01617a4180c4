import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, type EachBatchPayload } from 'kafkajs';
import { channelEventSchema } from '../../protocol/events.ts';
import { HEADERS } from '../../protocol/topics.ts';
import type { Comparison } from './comparison.ts';

/** A record of a channel on its topic. `position` is the event log's, by which a repeated record is told. */
export interface TopicRecord {
  readonly position: number;
  readonly channel_seq: number;
  readonly data: unknown;
}
type Sink = (record: TopicRecord) => Promise<void>;

/**
 * Folds a channel's records into a comparison by the consumers' own rule: a position that is not above the last one is a repetition.
 * What is left has to continue `channel_seq` without a hole from 1 (G3). `repeated` counts the others.
 */
export function createTopicFold(comparison: Comparison): { take: Sink; repeated(): number } {
  let [position, seq, repeated] = [0, 0, 0];
  return {
    repeated: () => repeated,
    async take(record) {
      if (record.position <= position) return void (repeated += 1);
      if (record.channel_seq !== seq + 1) comparison.differ(`channel_seq ${record.channel_seq} follows ${seq}`);
      [position, seq] = [record.position, record.channel_seq];
      const event = channelEventSchema.safeParse(record.data).data;
      if (!event) return comparison.differ(`the record of channel_seq ${seq} is no event`);
      if (event.type !== 'message.created') return;
      const { client_msg_id, text, origin } = event;
      await comparison.take({ client_msg_id, text, author: origin?.author ?? null, sent_at: origin?.sent_at ?? null });
    },
  };
}

const TOPIC = 'message.events';
/** How long the broker may hand over nothing before the reading fails. */
const SILENCE_MS = 30_000;

/** Reads the topic from its beginning to its present end, and hands over the records of one channel in the topic's order. */
export async function readTopic(brokers: readonly string[], channelId: string, sink: Sink): Promise<void> {
  const kafka = new Kafka({ clientId: 'colink-import', brokers: [...brokers], logLevel: logLevel.NOTHING });
  const groupId = `colink-import-check-${randomUUID()}`;
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ends = (await admin.fetchTopicOffsets(TOPIC)).filter(({ low, high }) => BigInt(high) > BigInt(low));
    const left = new Map(ends.map(({ partition, high }) => [partition, BigInt(high) - 1n]));
    if (left.size > 0) await consume(kafka, groupId, channelId, left, sink);
    await admin.deleteGroups([groupId]).catch(() => {}); // it has committed nothing, and the broker forgets an empty group by itself
  } finally {
    await admin.disconnect();
  }
}

async function consume(kafka: Kafka, groupId: string, channelId: string, left: Map<number, bigint>, sink: Sink): Promise<void> {
  const consumer = kafka.consumer({ groupId, maxBytesPerPartition: 4 * 1024 * 1024 });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const silence = setTimeout(() => reject(new Error(`the broker hands over nothing for ${SILENCE_MS / 1_000} s`)), SILENCE_MS);
  const eachBatch = async ({ batch, heartbeat }: EachBatchPayload): Promise<void> => {
    silence.refresh();
    for (const { key, value, headers, offset } of batch.messages) {
      if (key?.toString() === channelId && value !== null) {
        await sink({ position: Number(headers?.[HEADERS.position]), channel_seq: Number(headers?.[HEADERS.channelSeq]), data: JSON.parse(value.toString()) });
      }
      if (BigInt(offset) % 1_000n === 0n) await heartbeat();
    }
    const end = left.get(batch.partition);
    if (end !== undefined && BigInt(batch.lastOffset()) >= end) left.delete(batch.partition);
    if (left.size === 0) resolve();
  };
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: (payload) => eachBatch(payload).catch(reject) });
    await promise;
  } finally {
    clearTimeout(silence);
    await consumer.disconnect();
  }
}
