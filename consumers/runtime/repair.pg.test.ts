import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { takeBatch } from './batch.ts';
import { retrierService } from './group-runner.ts';
import { createLedger, ledgerGroup } from './ledger.fixture.ts';
import { expectRepairs, poisons } from '../../tests/support/poison.ts';

const chance = { now: () => new Date(), random: () => 0.5 };

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
  await createLedger(database.connection.sql);
});
afterAll(() => database.drop());

it('poison of every kind reaches the table, is shown, edited, and redriven once (G2)', async () => {
  const [group, all] = [ledgerGroup('ledger'), poisons()];
  const { sql } = database.connection;
  const records = all.map(({ key, value, headers }, n) => ({ topic: 'message.events' as const, partition: 0, offset: String(n), key, value, headers }));
  const batch = { topic: 'message.events' as const, partition: 0, records, cursor: '1', unseen: () => records };
  expect(await takeBatch(sql, group, batch, chance)).toEqual({ applied: 0, duplicates: 0, parked: 0, dead: all.length });
  const retrier = retrierService(group, { sql, log: pino({ level: 'silent' }), chance, onTaken: () => {} });
  const running = retrier.run();
  await expectRepairs(database.connection, group.id, all);
  await retrier.drain();
  await running;
});
