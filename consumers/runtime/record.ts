import type { LogRow } from '../../db/queries/event-log.ts';
import type { StoredRecord } from '../../db/queries/parking.ts';
import { HEADERS, type Topic } from '../../protocol/topics.ts';
import { type RecordHeaders, restoreHeaders, storeHeaders } from './stored-headers.ts';

/** A record as it came, untrusted. `offset` is the source's own name for its place. */
export interface SourceRecord {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: RecordHeaders;
}

/** The headers every record of the event log carries, on Kafka and embedded alike. */
export function logHeaders(row: LogRow): Record<string, string> {
  return {
    [HEADERS.id]: row.eventId,
    [HEADERS.type]: row.type,
    [HEADERS.source]: '/colink',
    [HEADERS.time]: row.at,
    [HEADERS.specversion]: '1.0',
    [HEADERS.idempotencyKey]: row.eventId,
    [HEADERS.position]: String(row.position),
    ...(row.channelSeq !== null && { [HEADERS.channelSeq]: row.channelSeq }),
    ...(row.traceparent !== null && { [HEADERS.traceparent]: row.traceparent }),
  };
}

/** A row of the event log as the record it would be on Kafka. */
export function logRecord(row: LogRow): SourceRecord {
  return {
    topic: row.topic,
    partition: 0,
    offset: String(row.position),
    key: Buffer.from(row.key),
    value: Buffer.from(row.data),
    headers: logHeaders(row),
  };
}

export function storeRecord({ partition, offset, key, value, headers }: SourceRecord): StoredRecord {
  return { partition, offset, key, value, headers: storeHeaders(headers) };
}

export function restoreRecord(topic: Topic, { partition, offset, key, value, headers }: StoredRecord): SourceRecord {
  return { topic, partition, offset, key, value, headers: restoreHeaders(headers) };
}
