import type { Admin, Kafka } from 'kafkajs';
import type { Sql } from '../../db/client.ts';
import { readStreams, type StreamState } from '../../db/queries/consumer-offsets.ts';
import type { Topic } from '../../protocol/topics.ts';
import { offsetOf } from './kafka-cursor.ts';
import { type LagReader, type StreamLag, streamName } from './stream-lag.ts';

/** Lags on Kafka: the topic's high watermarks against the cursors in Postgres. */
export function kafkaLag(kafka: Kafka, sql: Sql): LagReader {
  return {
    lag: async (groupId, topics) => {
      const states = new Map((await readStreams(sql, groupId)).map((state) => [streamName(state), state]));
      return withAdmin(kafka, async (admin) => (await Promise.all(topics.map((topic) => topicLag(admin, topic, states)))).flat());
    },
    between: async (_, from, to) => {
      const [first, next] = [offsetOf(from), offsetOf(to)];
      return first === null || next === null ? 0 : Math.max(0, Number(next - first));
    },
  };
}

async function topicLag(admin: Admin, topic: Topic, states: ReadonlyMap<string, StreamState>): Promise<StreamLag[]> {
  return (await admin.fetchTopicOffsets(topic)).map(({ partition, high, low }) => {
    const state = states.get(streamName({ topic, partition }));
    const records = recordsBehind(state?.cursor ?? null, BigInt(low), BigInt(high));
    return { topic, partition, records, cursor: state?.cursor ?? null, takenAt: state?.takenAt ?? null };
  });
}

/** What is past its retention is not waited for any more, so it does not count. A cursor past the end is of a topic that is no more. */
function recordsBehind(cursor: string | null, low: bigint, high: bigint): number {
  const next = offsetOf(cursor) ?? low;
  return Number(high - (next < low || next > high ? low : next));
}

export async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => {});
  }
}
