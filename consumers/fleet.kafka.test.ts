import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { appendToLog, created, eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, metricsOnceTheySay, startFleetProcess } from '../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import type { FleetStatus } from './status/fleet-status.ts';

const broker = inject('kafkaBrokers');

describe.skipIf(broker === '')('fleet on Kafka', () => {
  let database: TestDatabase;
  let fleet: FleetProcess | null = null;

  beforeAll(async () => {
    database = await testDatabase();
  });

  afterAll(async () => {
    await fleet?.end('SIGKILL');
    await database.drop();
  });

  /** As a person asks for it. */
  async function fleetStatus(): Promise<FleetStatus> {
    const { stdout } = await promisify(execFile)(process.execPath, ['cli/main.ts', 'fleet', 'status', '--json'], {
      env: { PATH: process.env['PATH'], DATABASE_URL: database.url, KAFKA_BROKERS: broker },
    });
    return JSON.parse(stdout) as FleetStatus;
  }

  it('relays, indexes, publishes dead letters, and leaves nothing behind on SIGTERM', async () => {
    const { sql } = database.connection;
    fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker });
    const { url, pid } = fleet;
    const channel = randomUUID();
    await appendToLog(sql, Array.from({ length: 300 }, (_, index) => ({ key: channel, event: created(index + 1) })));
    await appendToLog(sql, [{ key: randomUUID(), event: created(1), type: 'colink.message.created.v9' }]);
    await eventually(async () => {
      const [row] = await sql<[{ indexed: number; published: number }]>`
        SELECT (SELECT count(*)::integer FROM search_messages WHERE channel_id = ${channel}) AS indexed,
          (SELECT count(*)::integer FROM dead_letters WHERE published_at IS NOT NULL) AS published`;
      return row.indexed === 300 && row.published >= 1;
    }, 40_000);
    await metricsOnceTheySay(
      url,
      'colink_relay_records_total 301',
      'colink_relay_unrelayed_age_seconds 0',
      'colink_relay_leading 1',
    );

    const status = await fleetStatus();
    const self = expect.stringMatching(new RegExp(`:${pid}$`));
    expect(status.relay).toMatchObject({ oldest_unrelayed_seconds: null, shards: [{ shard: 0, leader: self }] });
    const group = status.groups.find((one) => one.group === 'search-indexer');
    // The broker's topics also hold what other tests left there.
    expect(group).toMatchObject({ lag: expect.any(Number), parked_keys: 0 });
    expect(group?.dead_letters).toBeGreaterThan(0);
    expect(group?.partitions.filter(({ topic }) => topic === 'message.events').map(({ reader }) => reader)).toEqual(Array.from({ length: 12 }, () => self));

    const begun = Date.now();
    expect(await fleet.end('SIGTERM')).toBe(0);
    expect(Date.now() - begun).toBeLessThan(25_000);
    const [locks] = await sql<[{ held: number }]>`SELECT count(*)::integer AS held FROM pg_stat_activity WHERE application_name LIKE 'colink-%' AND datname = current_database() AND application_name <> 'colink-test'`;
    expect(locks.held).toBe(0);
  });
});
