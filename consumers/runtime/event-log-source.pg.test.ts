import { afterAll, beforeAll } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { appendToLog, created, eventually } from '../../tests/support/event-log.ts';
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

const entries = (key: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ key, event: created(from + index) }));

function harness(): SourceHarness {
  const { sql } = database.connection;
  return {
    sql,
    createSource: ({ id, topics }) => createEventLogSource({ databaseUrl: database.url, sql, groupId: id, topics, onError: () => {}, batchRecords: 7 }),
    append: async (on, key, from, to) => {
      await appendToLog(on, entries(key, from, to));
    },
    appendLate: (key, from, to) => appendLate(sql, key, from, to),
    redeliver: async (groupId) => {
      await sql`DELETE FROM consumer_offsets WHERE group_id = ${groupId}`;
    },
    eventually: (isTrue, describe) => eventually(isTrue, 10_000, describe),
  };
}

async function appendLate(sql: Sql, key: string, from: number, to: number): Promise<{ commit(): Promise<void> }> {
  const { promise: isAppended, resolve: appended } = Promise.withResolvers<void>();
  const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
  const committed = sql.begin(async (tx) => {
    await appendToLog(tx, entries(key, from, to));
    appended();
    await mayCommit;
  });
  await isAppended;
  return {
    commit: async () => {
      commit();
      await committed;
    },
  };
}

describeEventSource('event_log', harness);
