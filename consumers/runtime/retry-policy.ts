import type { DeadLetter } from '../../db/queries/dead-letters.ts';
import type { ParkedKey } from '../../db/queries/parking.ts';
import { backoffDelay, type BackoffRange } from './backoff.ts';
import { describeFailure, type Failure } from './classify.ts';
import { type SourceRecord, storeRecord } from './record.ts';

/** Retries of a record that failed by its own fault, after its first try. Then it is a dead letter. */
export const MAX_RETRIES = 3;
const RETRY_BACKOFF: BackoffRange = { first: 2_000, most: 60_000 };

export interface Chance {
  now(): Date;
  /** In [0, 1). */
  random(): number;
}

type Tries = Pick<ParkedKey, 'attempts' | 'firstFailedAt'>;

/** The state of a parked key after one more failed try of the record at its head; `tries` null: its first. */
export function failedTry(id: Pick<ParkedKey, 'groupId' | 'topic' | 'key'>, tries: Tries | null, error: unknown, chance: Chance): ParkedKey {
  const now = chance.now();
  const attempts = (tries?.attempts ?? 0) + 1;
  return {
    groupId: id.groupId,
    topic: id.topic,
    key: id.key,
    attempts,
    ...describeFailure(error),
    firstFailedAt: attempts === 1 || tries === null ? now.toISOString() : tries.firstFailedAt,
    lastFailedAt: now.toISOString(),
    nextRetryAt: new Date(now.getTime() + backoffDelay(RETRY_BACKOFF, attempts, chance.random)).toISOString(),
  };
}

/** A record that used up its retries. */
export function exhausted(parked: ParkedKey, record: SourceRecord): DeadLetter {
  const { groupId, topic, attempts, errorClass, errorMessage, firstFailedAt, lastFailedAt } = parked;
  return { groupId, topic, record: storeRecord(record), errorClass, errorMessage, attempts, firstFailedAt, lastFailedAt };
}

/** A record that no retry can help. */
export function undecodable(groupId: string, record: SourceRecord, failure: Failure, now: Date): DeadLetter {
  const at = now.toISOString();
  return { groupId, topic: record.topic, record: storeRecord(record), ...failure, attempts: 1, firstFailedAt: at, lastFailedAt: at };
}
