import { Partitioners } from 'kafkajs';
import { LOG_START, type LogRow } from '../../db/queries/event-log.ts';
import type { SourceBatch } from './event-source.ts';
import { type LogPlace, type LogPort, walkLog } from './log-walk.ts';
import { logRecord } from './record.ts';

/** A partition of a topic, and how many the topic has. */
export interface PartitionOf {
  readonly topic: SourceBatch['topic'];
  readonly partition: number;
  readonly partitions: number;
}

export const REPLAY_START: LogPlace = { cursor: LOG_START, window: null };

/** One page of the event log as a partition would bring it; `batch` null: none of its rows is of the partition. `next` null: the log is read. */
export interface ReplayStep {
  readonly batch: SourceBatch | null;
  readonly next: LogPlace | null;
}

/**
 * Reads on in the event log for a partition whose topic lost what it held. All that is committed by now is read; what is committed later finds its
 * way through the topic that is there now. The cursor `from` stays as it is, so that a replay that was cut off begins again, and groups pass over
 * what they had by its position.
 */
export async function replayPage(place: LogPlace, log: LogPort, of: PartitionOf, from: string | null, size: number): Promise<ReplayStep> {
  const { rows, next } = await walkLog(place, log, size);
  const records = rows.filter(isIn(of)).map((row) => ({ ...logRecord(row), partition: of.partition }));
  const { topic, partition } = of;
  const batch = { topic, partition, records, cursor: from ?? '', unseen: (stored: string | null) => (stored === from ? records : null) };
  return { batch: records.length === 0 ? null : batch, next: next.window === null ? null : next };
}

/** Where the relay's producer puts a row: it uses the same function. */
function isIn({ topic, partition, partitions }: PartitionOf): (row: LogRow) => boolean {
  const place = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionErrorCode: 0, partitionId, leader: 0, replicas: [], isr: [] }));
  return ({ key }) => place({ topic, partitionMetadata, message: { key, value: null } }) === partition;
}
