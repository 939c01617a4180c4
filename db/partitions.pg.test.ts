import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { migrate } from './migrate.ts';
import { premakePartitions } from './partitions.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

test('migrating again, twice at once, changes nothing', async () => {
  await Promise.all([migrate(database.url), migrate(database.url)]);
  expect(await premakePartitions(database.connection.sql)).toBe(0);
});
