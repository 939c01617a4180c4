import type { Kafka } from 'kafkajs';
import type { Sql } from '../../db/client.ts';
import { lockCursor, saveCursor } from '../../db/queries/consumer-offsets.ts';
import type { Topic } from '../../protocol/topics.ts';

/** Lets a group begin behind all that a topic holds by now: what other tests left there is not its business. */
export async function beginAtEnd(kafka: Kafka, sql: Sql, groupId: string, topic: Topic): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  await sql.begin(async (tx) => {
    for (const { partition, high } of ends) {
      await lockCursor(tx, { groupId, topic, partition });
      await saveCursor(tx, { groupId, topic, partition }, high);
    }
  });
}
