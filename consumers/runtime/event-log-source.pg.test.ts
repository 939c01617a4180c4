import { afterAll, beforeAll } from 'vitest';
import { appendLate, appendRun, eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { createEventLogSource } from './event-log-source.ts';
import { describeEventSource, type SourceHarness } from './event-source.contract.ts';
import { createLedger } from './ledger.fixture.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
  await createLedger(database.connection.sql);
});

afterAll(() => database.drop());

function harness(): SourceHarness {
  const { sql } = database.connection;
  return {
    sql,
    createSource: ({ id, topics }) => createEventLogSource({ databaseUrl: database.url, sql, groupId: id, topics, onError: () => {}, batchRecords: 7 }),
    append: appendRun,
    appendLate: (key, from, to) => appendLate(sql, key, from, to),
    redeliver: async (groupId) => {
      await sql`DELETE FROM consumer_offsets WHERE group_id = ${groupId}`;
    },
    eventually: (isTrue, describe) => eventually(isTrue, 10_000, describe),
  };
}

describeEventSource('event_log', harness);
