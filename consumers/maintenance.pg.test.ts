import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertCredential, purgeEndedCredentials } from '../db/queries/credentials.ts';
import { LOG_START, surveyLog } from '../db/queries/event-log.ts';
import { users } from '../db/schema/tables.ts';
import { keepAnswer } from '../db/queries/idempotency.ts';
import { appendRun } from '../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { keepFor, purgeOldKeys, tidyDeadLetters } from './maintenance.ts';

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

  it('deletes credentials that ended long ago, so many at a time, and no others', async () => {
    const { sql, db } = database.connection;
    const user_id = uuidv7();
    await db.insert(users).values({ id: user_id, issuer: 'https://id.example', subject: user_id, handle: `u-${user_id}`, display_name: 'A' });
    for (const days of [-40, -35, -31, -29, 1]) {
      const secret_hash = crypto.getRandomValues(new Uint8Array(32));
      await insertCredential(db, { id: uuidv7(), secret_hash, kind: 'provider', user_id, name: String(days), scopes: [], expires_at: new Date(Date.now() + days * DAY_MS) });
    }
    const left = async () => (await sql<{ name: string }[]>`SELECT name FROM credentials WHERE user_id = ${user_id} ORDER BY expires_at`).map(({ name }) => Number(name));
    expect([await purgeEndedCredentials(sql, 30, 2), await left()]).toEqual([2, [-31, -29, 1]]);
    expect([await purgeEndedCredentials(sql, 30, 2), await left()]).toEqual([1, [-29, 1]]);
  });

  it('purges dead letters that were settled 30 days ago', async () => {
    const { sql } = database.connection;
    await sql`
      INSERT INTO dead_letters (stage, topic, error_class, error_message, attempts, status, first_failed_at, last_failed_at)
      SELECT 'drain', 'message.events', 'test', '', 1, s.status, now() - make_interval(days => s.days), now() - make_interval(days => s.days)
      FROM (VALUES ('discarded', 31), ('discarded', 29), ('pending', 31)) AS s (status, days)`;
    expect(await tidyDeadLetters(sql)).toEqual({ purged: 1, cleared: 0 });
    expect(await tidyDeadLetters(sql)).toEqual({ purged: 0, cleared: 0 });
  });

  it('deletes answers kept for repetitions once they are a day old, all of them and no others (G8)', async () => {
    const { sql, db } = database.connection;
    const request = { user_id: uuidv7(), method: 'POST', route: '/v1/channels', fingerprint: new Uint8Array(32) };
    const now = Date.now();
    for (const hours of [72, 48, 30, 25, 24.1, 23.9, 1, 0]) {
      await db.transaction((tx) => keepAnswer(tx, { ...request, key: String(hours) }, { status: 201, body: '{}' }, new Date(now - hours * 3_600_000)));
    }
    expect(await purgeOldKeys(sql, 2)).toBe(5);
    const left = await sql<{ key: string }[]>`SELECT key FROM idempotency_keys WHERE user_id = ${request.user_id} ORDER BY created_at`;
    expect(left.map(({ key }) => key)).toEqual(['23.9', '1', '0']);
    expect(await purgeOldKeys(sql, 2)).toBe(0);
  });
});
