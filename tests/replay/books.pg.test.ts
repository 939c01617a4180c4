import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { takeBatch } from '../../consumers/runtime/batch.ts';
import { createLedger, ledgerGroup } from '../../consumers/runtime/ledger.fixture.ts';
import { retryDueKey } from '../../consumers/runtime/parked-retrier.ts';
import { discardLetters, redriveLetters } from '../../db/queries/dead-letter-acts.ts';
import { listDeadLetters } from '../../db/queries/dead-letter-reads.ts';
import { ceType } from '../../protocol/topics.ts';
import { appendToLog, created } from '../support/event-log.ts';
import { type TestDatabase, testDatabase } from '../support/postgres.ts';
import { type Account, isEven, readBooks } from './books.ts';

/** The books are those of groups that there are. */
const GROUP = 'search-indexer';
const BY = { actor: 'cli:ada', reason: 'a test' };

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
  await createLedger(database.connection.sql);
});
afterEach(() => database.drop());

it('the books of a group have each record where it is: done, waiting, dead, on its way again, redriven, discarded; and what is missing', async () => {
  const { sql, db } = database.connection;
  let [ahead, isFailing] = [0, true];
  const chance = { now: () => new Date(Date.now() + ahead), random: () => 1 };
  const poisoned = ledgerGroup(GROUP, {
    before: (events) => {
      if (isFailing && events.some(({ event }) => event.type === 'message.created' && event.text === 'poison')) throw new TypeError('the group stumbles');
    },
  });
  async function retryAll(): Promise<void> {
    ahead += 3_600_000;
    for (let tries = 0; (await retryDueKey(sql, poisoned, chance)) !== null; tries += 1) {
      expect(tries).toBeLessThan(100);
      ahead += 3_600_000;
    }
  }

  const events = ['good', 'good', 'poison', 'poison', 'poison', 'poison', 'poison'].map((text) => ({ key: randomUUID(), event: created(1, text) }));
  const positions = await appendToLog(sql, events);
  const records = events.map(({ key, event }, n) => ({
    topic: 'message.events' as const, partition: 0, offset: String(n), key: Buffer.from(key), value: Buffer.from(JSON.stringify(event)),
    headers: { ce_type: ceType('message.created'), log_position: String(positions[n]) },
  }));
  const take = (from: number, to: number) => takeBatch(sql, poisoned, { topic: 'message.events', partition: 0, records: records.slice(from, to), cursor: String(to), unseen: () => records.slice(from, to) }, chance);
  await take(0, 6);
  await retryAll();
  const [redriven, redriving, discarded] = (await listDeadLetters(db, {}, null, 10)).map(({ id }) => id);
  const redrive = (id = '') => db.transaction((tx) => redriveLetters(tx, { selection: { ids: [id] }, after: null, limit: 1 }, BY));
  await redrive(redriven);
  isFailing = false;
  await retryAll();
  isFailing = true;
  await redrive(redriving);
  await db.transaction((tx) => discardLetters(tx, { ids: [discarded ?? ''] }, 1, BY));
  await take(6, 7);

  const account = async (): Promise<Account | undefined> => (await readBooks(sql)).find(({ topic }) => topic === 'message.events');
  const books = await account();
  expect(books).toEqual({ group: GROUP, topic: 'message.events', in: 7, done: 3, parked: 2, dead: 1, discarded: 1 });
  expect(books && isEven(books)).toBe(true);
  // Taken by nobody.
  await appendToLog(sql, [{ key: randomUUID(), event: created(1) }]);
  const uneven = await account();
  expect([uneven?.in, uneven && isEven(uneven)]).toEqual([8, false]);
});
