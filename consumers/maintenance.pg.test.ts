import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../db/client.ts';
import { countMissingPartitions, listLogDays, LOG_START, surveyLog } from '../db/queries/event-log.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { dropOldLogDays } from './maintenance.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

describe('maintenance', () => {
  let database: TestDatabase;
  let sql: Sql;

  beforeEach(async () => {
    database = await testDatabase();
    sql = database.connection.sql;
  });

  afterEach(() => database.drop());

  /** What a fleet that runs so many days from now would do. */
  const dropAt = (days: number, ...cursors: (typeof LOG_START)[]) =>
    dropOldLogDays({ sql, now: () => new Date(Date.now() + days * DAY_MS), cursors: async () => cursors });

  const append = () => sql`
    INSERT INTO event_log (topic, key, event_id, type, data) VALUES ('message.events', gen_random_uuid(), gen_random_uuid(), 'colink.x.y.v1', '{}')`;

  it('G4: keeps every day a client may still resume from, and drops the others', async () => {
    const before = await listLogDays(sql);
    expect(await dropAt(29)).toBe(0);
    expect(await dropAt(33)).toBeGreaterThanOrEqual(1);
    const after = await listLogDays(sql);
    expect(after.length).toBeLessThan(before.length);
    expect(after.every(({ day }) => day.getTime() + DAY_MS > Date.now() + 2 * DAY_MS)).toBe(true);
  });

  it('G1: keeps what a reader has not passed yet, however old', async () => {
    await append();
    const { target, targetTakenAt } = await surveyLog(sql, LOG_START, null);
    const behind = { base: target, baseTakenAt: targetTakenAt, target: null, targetTakenAt: null, after: 0 };
    const today = (await listLogDays(sql)).find(({ day }) => day.getTime() + DAY_MS > Date.now());
    expect(await dropAt(90, behind, LOG_START)).toBe(0);
    expect((await listLogDays(sql)).map(({ partition }) => partition)).toContain(today?.partition);
    expect(await dropAt(90, behind)).toBeGreaterThanOrEqual(1);
    expect((await listLogDays(sql)).map(({ partition }) => partition)).not.toContain(today?.partition);
  });

  it('counts what is missing', async () => {
    expect(await countMissingPartitions(sql)).toBe(0);
    await dropAt(31);
    expect(await countMissingPartitions(sql)).toBeGreaterThanOrEqual(1);
  });
});
