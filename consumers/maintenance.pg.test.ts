import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOG_START, surveyLog } from '../db/queries/event-log.ts';
import { appendRun } from '../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { keepFor } from './maintenance.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

describe('maintenance', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase();
  });

  afterAll(() => database.drop());

  it('G1: keeps what an embedded reader has not passed yet, and nothing for one that has passed all', async () => {
    const { sql } = database.connection;
    expect(await keepFor(sql, [LOG_START])).toEqual({});
    await appendRun(sql, '01900000-0000-7000-8000-000000000001', 1, 3);
    const { target, targetTakenAt } = await surveyLog(sql, LOG_START, null);
    const atEnd = { base: target, baseTakenAt: targetTakenAt, target: null, targetTakenAt: null, after: 0 };
    expect(await keepFor(sql, [atEnd])).toEqual({});
    const { keepFrom } = await keepFor(sql, [atEnd, LOG_START]);
    expect(Math.abs((keepFrom?.getTime() ?? 0) + DAY_MS - Date.now())).toBeLessThan(60_000);
  });
});
