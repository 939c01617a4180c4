import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { appendToLog, created, eventually } from '../tests/support/event-log.ts';
import { startFleetProcess } from '../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';

const broker = inject('kafkaBrokers');

describe.skipIf(broker === '')('fleet on Kafka', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase();
  });

  afterAll(() => database.drop());

  it('relays, indexes, publishes dead letters, and leaves nothing behind on SIGTERM', async () => {
    const { sql } = database.connection;
    const fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker });
    const channel = randomUUID();
    await appendToLog(sql, Array.from({ length: 300 }, (_, index) => ({ key: channel, event: created(index + 1) })));
    await appendToLog(sql, [{ key: randomUUID(), event: created(1), type: 'colink.message.created.v9' }]);
    await eventually(async () => {
      const [row] = await sql<[{ indexed: number; published: number }]>`
        SELECT (SELECT count(*)::integer FROM search_messages WHERE channel_id = ${channel}) AS indexed,
          (SELECT count(*)::integer FROM dead_letters WHERE published_at IS NOT NULL) AS published`;
      return row.indexed === 300 && row.published >= 1;
    }, 40_000);
    const metrics = await (await fetch(`${fleet.url}/metrics`)).text();
    expect(metrics).toContain('colink_relay_records_total 301');
    expect(metrics).toContain('colink_relay_unrelayed_age_seconds 0');
    expect(metrics).toContain('colink_relay_leading 1');

    const begun = Date.now();
    expect(await fleet.end('SIGTERM')).toBe(0);
    expect(Date.now() - begun).toBeLessThan(25_000);
    const [locks] = await sql<[{ held: number }]>`SELECT count(*)::integer AS held FROM pg_stat_activity WHERE application_name LIKE 'colink-%' AND datname = current_database() AND application_name <> 'colink-test'`;
    expect(locks.held).toBe(0);
  });
});
