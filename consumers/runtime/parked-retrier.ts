import type postgres from 'postgres';
import type { Sql } from '../../db/client.ts';
import { type DeadLetter, insertDeadLetters } from '../../db/queries/dead-letters.ts';
import { claimDueKey, deleteParkedKey, deleteParkedRecords, type ParkedKey, readParkedRecords, saveParkedKey } from '../../db/queries/parking.ts';
import { tryOne } from './batch.ts';
import { decode } from './decode.ts';
import type { ConsumerGroup } from './group.ts';
import { restoreRecord, type SourceRecord } from './record.ts';
import { type Chance, exhausted, failedTry, MAX_RETRIES, undecodable } from './retry-policy.ts';

type Tx = postgres.TransactionSql;
type Typed = { readonly type: string };

/** Most records of one key tried in one transaction. */
const RETRY_BATCH = 200;

export interface Retried {
  readonly applied: number;
  readonly dead: number;
}

/**
 * Tries the queue of one due key of a group again, in order, in one transaction. A record past its retries becomes a dead letter and the
 * queue goes on behind it; a record that fails with retries left stops the queue. An empty queue sets the key free. Null: no key is due.
 * @throws what is not a record's fault; nothing is stored then.
 */
export async function retryDueKey<E extends Typed>(sql: Sql, group: ConsumerGroup<E>, chance: Chance): Promise<Retried | null> {
  const retried = await sql.begin(async (tx) => {
    const parked = await claimDueKey(tx, group.id, chance.now());
    return parked === null ? null : retryQueue(tx, group, parked, chance);
  });
  return retried;
}

async function retryQueue<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, parked: ParkedKey, chance: Chance): Promise<Retried> {
  const records = await readParkedRecords(tx, parked, RETRY_BATCH);
  const letters: DeadLetter[] = [];
  const settled: string[] = [];
  let head: ParkedKey = parked;
  for (const { id, ...stored } of records) {
    const failure = await retryRecord(tx, group, head, restoreRecord(parked.topic, stored), chance);
    if (failure !== null && 'retry' in failure) {
      head = failure.retry;
      break;
    }
    if (failure !== null) letters.push(failure.letter);
    settled.push(id);
    head = { ...parked, attempts: 0, nextRetryAt: chance.now().toISOString() };
  }
  await insertDeadLetters(tx, letters);
  await deleteParkedRecords(tx, settled);
  const isEmpty = settled.length === records.length && records.length < RETRY_BATCH;
  await (isEmpty ? deleteParkedKey(tx, parked) : saveParkedKey(tx, head));
  return { applied: settled.length - letters.length, dead: letters.length };
}

type RetryFailure = { readonly retry: ParkedKey } | { readonly letter: DeadLetter };

async function retryRecord<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, head: ParkedKey, record: SourceRecord, chance: Chance): Promise<RetryFailure | null> {
  const decoded = decode(group, record);
  if (decoded.kind === 'passed') return null;
  if (decoded.kind === 'fatal') return { letter: undecodable(group.id, record, decoded.failure, chance.now()) };
  const error = await tryOne(tx, group, decoded);
  if (error === null) return null;
  const failed = failedTry(head, head, error.cause, chance);
  return failed.attempts > MAX_RETRIES ? { letter: exhausted(failed, record) } : { retry: failed };
}
