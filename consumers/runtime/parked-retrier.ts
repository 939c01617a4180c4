import type postgres from 'postgres';
import type { Sql } from '../../db/client.ts';
import { type DeadLetter, insertDeadLetters, type RedriveOutcome, settleRedriven } from '../../db/queries/dead-letters.ts';
import { claimDueKey, deleteParkedKey, deleteParkedRecords, type ParkedKey, type ParkedRecord, readParkedRecords, saveParkedKey } from '../../db/queries/parking.ts';
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
 * queue goes on behind it; a record that fails with retries left stops the queue. A dead letter that is redriven has one try: whoever redrove
 * it looks after the next. An empty queue sets the key free. Null: no key is due.
 * @throws what is not a record's fault; nothing is stored then.
 */
export async function retryDueKey<E extends Typed>(sql: Sql, group: ConsumerGroup<E>, chance: Chance): Promise<Retried | null> {
  const retried = await sql.begin(async (tx) => {
    const parked = await claimDueKey(tx, group.id, chance.now());
    return parked === null ? null : retryQueue(tx, group, parked, chance);
  });
  return retried;
}

/** What became of the head of a queue: the records settled so far, and how the key stands. */
interface Progress {
  readonly settled: string[];
  readonly letters: DeadLetter[];
  readonly redriven: RedriveOutcome[];
  head: ParkedKey;
}

async function retryQueue<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, parked: ParkedKey, chance: Chance): Promise<Retried> {
  const records = await readParkedRecords(tx, parked, RETRY_BATCH);
  const { settled, letters, redriven, head } = await retryRecords(tx, group, { parked, records }, chance);
  await insertDeadLetters(tx, letters);
  await settleRedriven(tx, group.id, redriven);
  await deleteParkedRecords(tx, settled);
  const isEmpty = settled.length === records.length && records.length < RETRY_BATCH;
  await (isEmpty ? deleteParkedKey(tx, parked) : saveParkedKey(tx, head));
  const dead = letters.length + redriven.filter(({ failure }) => failure !== null).length;
  return { applied: settled.length - dead, dead };
}

interface Queue {
  readonly parked: ParkedKey;
  readonly records: readonly ParkedRecord[];
}

async function retryRecords<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, { parked, records }: Queue, chance: Chance): Promise<Progress> {
  const progress: Progress = { settled: [], letters: [], redriven: [], head: parked };
  for (const { id, deadLetterId, ...stored } of records) {
    const failure = await retryRecord(tx, group, progress.head, restoreRecord(parked.topic, stored), chance);
    if (deadLetterId !== null) progress.redriven.push({ id: deadLetterId, failure: failure && lastFailure(failure) });
    else if (failure !== null && 'retry' in failure) return { ...progress, head: failure.retry };
    else if (failure !== null) progress.letters.push(failure.letter);
    progress.settled.push(id);
    progress.head = { ...parked, attempts: 0, nextRetryAt: chance.now().toISOString() };
  }
  return progress;
}

type RetryFailure = { readonly retry: ParkedKey } | { readonly letter: DeadLetter };

function lastFailure(failure: RetryFailure): RedriveOutcome['failure'] {
  const { errorClass, errorMessage, lastFailedAt } = 'retry' in failure ? failure.retry : failure.letter;
  return { errorClass, errorMessage, lastFailedAt };
}

async function retryRecord<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, head: ParkedKey, record: SourceRecord, chance: Chance): Promise<RetryFailure | null> {
  const decoded = decode(group, record);
  if (decoded.kind === 'passed') return null;
  if (decoded.kind === 'fatal') return { letter: undecodable(group.id, record, decoded.failure, chance.now()) };
  const error = await tryOne(tx, group, decoded);
  if (error === null) return null;
  const failed = failedTry(head, head, error.cause, chance);
  return failed.attempts > MAX_RETRIES ? { letter: exhausted(failed, record) } : { retry: failed };
}
