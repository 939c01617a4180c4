import type { Sql } from '../../db/client.ts';
import { claimOwedDeadLetters, markPublished, type OwedDeadLetter } from '../../db/queries/dead-letters.ts';
import { deadLetterTopic } from '../../protocol/topics.ts';
import type { OutgoingRecord, RecordSender } from '../kafka/record-sender.ts';
import { restoreHeaders } from './stored-headers.ts';

const PUBLISH_BATCH = 100;

/**
 * Produces the oldest dead letters that are still owed to `dlq.<topic>` and marks them; returns how many. A death in between publishes them
 * again, under the same `dlq.id`. The table is the record of dead letters, the topic a copy for whoever listens: with no broker none is owed
 * anything, `published_at` stays null, and a broker that comes later is sent them all.
 */
export async function publishDeadLetters(sql: Sql, sender: Pick<RecordSender, 'send'>): Promise<number> {
  const published = await sql.begin(async (tx) => {
    const letters = await claimOwedDeadLetters(tx, PUBLISH_BATCH);
    if (letters.length === 0) return 0;
    await sender.send(letters.map(toRecord));
    await markPublished(tx, letters);
    return letters.length;
  });
  return published;
}

/** Key, value and headers as they were, with the story of the failure added. */
export function toRecord(letter: OwedDeadLetter): OutgoingRecord {
  const story: Record<string, string | number | null> = {
    'dlq.id': letter.id,
    'dlq.stage': letter.stage,
    'dlq.group': letter.groupId,
    'dlq.origin_topic': letter.topic,
    'dlq.origin_partition': letter.partition,
    'dlq.origin_offset': letter.offset,
    'dlq.error_class': letter.errorClass,
    'dlq.error_message': letter.errorMessage,
    'dlq.attempts': letter.attempts,
    'dlq.first_failed_at': letter.firstFailedAt,
    'dlq.last_failed_at': letter.lastFailedAt,
  };
  const told = Object.entries(story).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)] as const]));
  return { topic: deadLetterTopic(letter.topic), key: letter.key, value: letter.value, headers: { ...restoreHeaders(letter.headers), ...Object.fromEntries(told) } };
}
