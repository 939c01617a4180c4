import type { KafkaMessage } from 'kafkajs';
import type { Topic } from '../../protocol/topics.ts';
import type { SourceBatch } from './event-source.ts';

/** A stored cursor of a Kafka stream is the next offset to read. Null for none, and for the notation of another transport. */
export function offsetOf(stored: string | null): bigint | null {
  return stored !== null && /^[0-9]{1,19}$/.test(stored) ? BigInt(stored) : null;
}

export interface Fetched {
  readonly topic: Topic;
  readonly partition: number;
  readonly messages: readonly KafkaMessage[];
  /** The stored cursor this was read on from, unless the row has changed meanwhile. */
  readonly from: string | null;
}

/** Cuts what one fetch brought into batches of at most `size` records, each continuing the one before. */
export function* cutFetched({ topic, partition, messages, from }: Fetched, size: number): Generator<SourceBatch & { lastOffset: string }> {
  let continues = from;
  for (let start = 0; start < messages.length; start += size) {
    const part = messages.slice(start, start + size);
    const lastOffset = part.at(-1)?.offset ?? '0';
    const cursor = String(BigInt(lastOffset) + 1n);
    yield { ...toBatch(topic, partition, part, continues), cursor, lastOffset };
    continues = cursor;
  }
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
