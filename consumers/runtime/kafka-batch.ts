import type { KafkaMessage } from 'kafkajs';
import type { Topic } from '../../protocol/topics.ts';
import type { SourceBatch } from './event-source.ts';
import { cursorBehind, offsetOf } from './kafka-cursor.ts';

export interface Fetched {
  readonly topic: Topic;
  readonly partition: number;
  readonly messages: readonly KafkaMessage[];
  /** The stored cursor this was read on from, unless the row has changed meanwhile. */
  readonly from: string | null;
  /** Whether the first message is read without regard to `from`, whose offsets may be those of a topic that is no more. */
  readonly isAnew?: boolean;
}

/** Cuts what one fetch brought into batches of at most `size` records, each continuing the one before. */
export function* cutFetched({ topic, partition, messages, from, isAnew = false }: Fetched, size: number): Generator<SourceBatch & { lastOffset: string }> {
  let continues = from;
  for (let start = 0; start < messages.length; start += size) {
    const part = messages.slice(start, start + size);
    const last = part.at(-1);
    if (last === undefined) return;
    const cursor = cursorBehind(last);
    const batch = toBatch(topic, partition, part, continues);
    yield { ...batch, ...(isAnew && start === 0 && { unseen: onlyAfter(from, batch.records) }), cursor, lastOffset: last.offset };
    continues = cursor;
  }
}

/** Offsets cannot be compared with those of another topic: if somebody else has moved the cursor, the batch is stale. */
function onlyAfter(from: string | null, records: SourceBatch['records']): SourceBatch['unseen'] {
  return (stored) => (stored === from ? records : null);
}

function toBatch(topic: Topic, partition: number, messages: readonly KafkaMessage[], from: string | null): Omit<SourceBatch, 'cursor'> {
  const records = messages.map(({ offset, key, value, headers = {} }) => ({ topic, partition, offset, key, value, headers }));
  const first = BigInt(messages[0]?.offset ?? 0);
  return {
    topic,
    partition,
    records,
    unseen: (stored) => {
      // Records between `from` and the first one here are gone from the topic: compacted, or past its retention.
      if (stored === from) return records;
      const next = offsetOf(stored);
      if (next === null || next < first) return null;
      return records.filter(({ offset }) => BigInt(offset) >= next);
    },
  };
}
