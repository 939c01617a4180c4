import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { countParkedKeys } from '../../db/queries/parking.ts';
import { readClock } from '../../db/queries/time.ts';
import { checkEffects } from '../../tests/support/effect-checker.ts';
import { appendRun, eventually } from '../../tests/support/event-log.ts';
import { readHistory } from '../../tests/support/ledger-history.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { DatabaseClock } from './database-clock.ts';
import { createEventLogSource } from './event-log-source.ts';
import { groupService, retrierService } from './group-runner.ts';
import { createLedger, ledgerGroup } from './ledger.fixture.ts';
import type { Service } from './service.ts';

const log = pino({ level: 'silent' });
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

describe('the clock of a fleet', () => {
  let database: TestDatabase;
  let sql: Sql;
  const running: Service[] = [];

  beforeAll(async () => {
    database = await testDatabase();
    sql = database.connection.sql;
    await createLedger(sql);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.stop()));
  });
  afterAll(() => database.drop());

  async function clockOf(skew: number): Promise<{ clock: DatabaseClock; ahead: number[] }> {
    const ahead: number[] = [];
    const clock = new DatabaseClock({ read: () => readClock(sql), now: () => Date.now() + skew, log, onMeasured: (by) => ahead.push(by) });
    await clock.measure();
    return { clock, ahead };
  }

  it.each([0, 10 * MINUTE, -10 * MINUTE, DAY, -DAY])('tells Postgres\' time where its own is off by %i ms, and by how much it is', async (skew) => {
    const { clock, ahead } = await clockOf(skew);
    expect(Math.abs(clock.time().getTime() - (await readClock(sql)))).toBeLessThan(2_000);
    expect(Math.abs((ahead[0] ?? Number.NaN) - skew)).toBeLessThan(2_000);
  });

  it.each([['ahead', DAY, -DAY], ['behind', -DAY, DAY]])('G1, G3: a key that a process parks whose clock is a day %s is tried again in time by one whose clock is not', async (_, first, second) => {
    const groupId = `clock-${randomUUID()}`;
    const key = randomUUID();
    let fails = 1;
    const stumbling = ledgerGroup(groupId, { before: () => { if (fails > 0) throw new TypeError('it stumbles'); } });
    const ports = (clock: DatabaseClock) => ({ sql, log, chance: { now: () => clock.time(), random: () => 0 }, onTaken: () => {} });
    const source = createEventLogSource({ databaseUrl: database.url, sql, groupId, topics: stumbling.topics, onError: () => {} });
    running.push(groupService(stumbling, source, ports((await clockOf(first)).clock)));
    void running[0]?.run();
    await appendRun(sql, key, 1, 3);
    await eventually(async () => (await countParkedKeys(sql)).some((parked) => parked.groupId === groupId));
    // Not before it is due.
    const retrier = retrierService(stumbling, ports((await clockOf(second)).clock));
    running.push(retrier);
    fails = 0;
    void retrier.run();
    const at = performance.now();
    await eventually(async () => (await readHistory(sql, groupId, [key])).effects.length === 3, 15_000);
    expect(performance.now() - at).toBeGreaterThan(200);
    expect(checkEffects(await readHistory(sql, groupId, [key]))).toEqual([]);
  });
});
