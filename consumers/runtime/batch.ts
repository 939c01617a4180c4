import type postgres from 'postgres';
import type { Sql } from '../../db/client.ts';
import { lockCursor, readTakenPositions, saveCursor, saveTakenPositions } from '../../db/queries/consumer-offsets.ts';
import { insertDeadLetters } from '../../db/queries/dead-letters.ts';
import { insertParkedKeys, lockParkedKeys, type ParkedKey, queueParkedRecords } from '../../db/queries/parking.ts';
import { classify } from './classify.ts';
import { type Decoded, decode } from './decode.ts';
import type { SourceBatch } from './event-source.ts';
import type { ConsumerGroup } from './group.ts';
import { type Intake, sortBatch } from './intake.ts';
import { storeRecord } from './record.ts';
import { type Chance, failedTry, undecodable } from './retry-policy.ts';

type Tx = postgres.TransactionSql;
type Typed = { readonly type: string };

/** How many records of a batch went which way. */
export interface Taken {
  readonly applied: number;
  readonly duplicates: number;
  readonly parked: number;
  readonly dead: number;
}

/** The group's own code failed on an intact transaction; `cause` is what it threw. */
class ApplyError extends Error {
  override readonly name = 'ApplyError';
}

/** What became of the fresh records: newly parked keys, and the records that wait behind them (those that failed at the head). */
interface Applied {
  readonly applied: number;
  readonly parked: readonly ParkedKey[];
  readonly queued: Intake<never>['queued'];
}

type Apply<E extends Typed> = (tx: Tx, group: ConsumerGroup<E>, fresh: Intake<E>['fresh'], chance: Chance) => Promise<Applied>;

/**
 * Takes a batch over in one transaction: lock the cursor, skip what lies before it, skip repetitions, apply the rest, store positions
 * and cursor. If the group's code fails by the data, the transaction is done again in ever smaller parts, each in a savepoint, and a key
 * whose record fails is parked. Null: the batch does not continue the stored cursor.
 * @throws what is not the data's fault; nothing is stored then.
 */
export async function takeBatch<E extends Typed>(sql: Sql, group: ConsumerGroup<E>, batch: SourceBatch, chance: Chance): Promise<Taken | null> {
  try {
    return await attempt(sql, group, batch, chance, applyTogether);
  } catch (error) {
    if (!(error instanceof ApplyError)) throw error;
    if (classify(error.cause) === 'infrastructure') throw error.cause;
  }
  return attempt(sql, group, batch, chance, applyByHalves);
}

async function attempt<E extends Typed>(sql: Sql, group: ConsumerGroup<E>, batch: SourceBatch, chance: Chance, apply: Apply<E>): Promise<Taken | null> {
  const stream = { groupId: group.id, topic: batch.topic, partition: batch.partition };
  const taken = await sql.begin(async (tx) => {
    const unseen = batch.unseen(await lockCursor(tx, stream));
    if (unseen === null) return null;
    if (unseen.length === 0) return { applied: 0, duplicates: 0, parked: 0, dead: 0 };
    const decoded = unseen.map((record) => decode(group, record));
    const intake = await sortAgainstStore(tx, group.id, batch, decoded);
    const result = await apply(tx, group, intake.fresh, chance);
    await settle(tx, group.id, batch, intake, result, chance.now());
    await saveCursor(tx, stream, batch.cursor);
    return { applied: result.applied, duplicates: intake.duplicates, parked: intake.queued.length + result.queued.length, dead: intake.fatal.length };
  });
  return taken;
}

async function sortAgainstStore<E>(tx: Tx, groupId: string, { topic }: SourceBatch, decoded: readonly Decoded<E>[]): Promise<Intake<E>> {
  const keys = new Set<string>();
  for (const item of decoded) if (item.kind !== 'passed' && item.key !== null) keys.add(item.key);
  if (keys.size === 0) return sortBatch(decoded, new Map(), new Set());
  const [taken, parked] = [await readTakenPositions(tx, groupId, topic, [...keys]), await lockParkedKeys(tx, groupId, topic, [...keys])];
  return sortBatch(decoded, taken, parked);
}

async function settle<E>(tx: Tx, groupId: string, { topic }: SourceBatch, intake: Intake<E>, result: Applied, now: Date): Promise<void> {
  await insertDeadLetters(tx, intake.fatal.map(({ record, failure }) => undecodable(groupId, record, failure, now)));
  await insertParkedKeys(tx, result.parked);
  const queued = [...intake.queued, ...result.queued];
  await queueParkedRecords(tx, groupId, topic, queued.map(({ parkedKey, record }) => ({ parkedKey, record: storeRecord(record) })));
  await saveTakenPositions(tx, groupId, topic, intake.positions);
}

async function applyTogether<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, fresh: Intake<E>['fresh']): Promise<Applied> {
  if (fresh.length > 0) {
    await group.apply(tx, fresh).catch((cause: unknown) => {
      throw new ApplyError('the group could not apply its batch', { cause });
    });
  }
  return { applied: fresh.length, parked: [], queued: [] };
}

/** Halves what fails until it is one record: a batch with one bad record costs some twenty tries, not one a record. */
async function applyByHalves<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, fresh: Intake<E>['fresh'], chance: Chance): Promise<Applied> {
  const parked = new Map<string, ParkedKey>();
  const queued: Intake<E>['queued'] = [];
  let applied = 0;
  async function take(items: Intake<E>['fresh']): Promise<void> {
    for (const { key, record } of items) if (parked.has(key)) queued.push({ parkedKey: key, record });
    const open = items.filter(({ key }) => !parked.has(key));
    const [first] = open;
    if (first === undefined) return;
    const error = await tryTogether(tx, group, open);
    if (error === null) applied += open.length;
    else if (open.length > 1) await takeHalves(open);
    else park(first, error);
  }
  async function takeHalves(items: Intake<E>['fresh']): Promise<void> {
    const half = items.length >> 1;
    await take(items.slice(0, half));
    await take(items.slice(half));
  }
  function park({ key, record }: Intake<E>['fresh'][number], error: ApplyError): void {
    parked.set(key, failedTry({ groupId: group.id, topic: record.topic, key }, null, error.cause, chance));
    queued.push({ parkedKey: key, record });
  }
  await take(fresh);
  return { applied, parked: [...parked.values()], queued };
}

/** Applies one event in a savepoint; returns the failure that is its own fault, throws any other. */
export function tryOne<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, item: Intake<E>['fresh'][number]): Promise<ApplyError | null> {
  return tryTogether(tx, group, [item]);
}

async function tryTogether<E extends Typed>(tx: Tx, group: ConsumerGroup<E>, items: Intake<E>['fresh']): Promise<ApplyError | null> {
  try {
    await tx.savepoint((inner) => group.apply(inner, items));
    return null;
  } catch (cause) {
    if (classify(cause) === 'infrastructure') throw cause;
    return new ApplyError('the group could not apply what it was given', { cause });
  }
}
