import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendToLog, created, eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, metricsOnceTheySay, startFleetProcess } from '../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';

describe('fleet on the embedded transport', { timeout: 90_000 }, () => {
  let database: TestDatabase;
  const fleets = new Set<FleetProcess>();

  beforeEach(async () => {
    database = await testDatabase();
  });

  afterEach(async () => {
    await Promise.all([...fleets].map((fleet) => fleet.end('SIGKILL')));
    fleets.clear();
    await database.drop();
  });

  async function start(): Promise<FleetProcess> {
    const fleet = await startFleetProcess({ DATABASE_URL: database.url });
    fleets.add(fleet);
    return fleet;
  }

  const indexed = async (channel: string): Promise<number> => {
    const [row] = await database.connection.sql<[{ count: number }]>`SELECT count(*)::integer AS count FROM search_messages WHERE channel_id = ${channel}`;
    return row.count;
  };

  it('indexes, serves health and metrics, and ends on SIGTERM with everything stored', async () => {
    const { sql } = database.connection;
    const [fleet, channel] = [await start(), randomUUID()];
    await appendToLog(sql, Array.from({ length: 50 }, (_, index) => ({ key: channel, event: created(index + 1, 'a secret text') })));
    await eventually(async () => (await indexed(channel)) === 50, 30_000);
    await appendToLog(sql, [{ key: randomUUID(), event: created(1, 'a secret text'), type: 'colink.message.created.v9' }]);
    await eventually(() => fleet.lines.some((line) => line.includes('records failed')), 30_000);

    expect((await fetch(`${fleet.url}/health`)).status).toBe(200);
    expect((await fetch(`${fleet.url}/ready`)).status).toBe(200);
    await metricsOnceTheySay(
      fleet.url,
      'colink_consumer_records_total{group="search-indexer",outcome="applied"} 50',
      'colink_consumer_lag_records{group="search-indexer"} 0',
      'colink_consumer_partition_lag_records{group="search-indexer",topic="message.events",partition="0"} 0',
      'colink_consumer_partition_records_total{group="search-indexer",topic="message.events",partition="0"} 51',
      /colink_consumer_partition_last_progress_timestamp_seconds\{group="search-indexer",topic="message.events",partition="0"\} \d/,
      'colink_consumer_stalls_total{group="search-indexer"} 0',
      'colink_dependency_up{dependency="postgres"} 1',
      'colink_consumer_parked_keys{group="search-indexer"} 0',
      'colink_dead_letters_pending{topic="message.events",group="search-indexer"} 1',
      'colink_partitions_missing 0',
    );

    const begun = Date.now();
    expect(await fleet.end('SIGTERM')).toBe(0);
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect(fleet.lines.join('\n')).not.toContain('secret');
  });

  it('G7: a killed fleet is followed by another that goes on', async () => {
    const { sql } = database.connection;
    const channel = randomUUID();
    const first = await start();
    for (let seq = 1; seq <= 20; seq += 1) await appendToLog(sql, [{ key: channel, event: created(seq) }]);
    expect(await first.end('SIGKILL')).toBe('SIGKILL');
    for (let seq = 21; seq <= 40; seq += 1) await appendToLog(sql, [{ key: channel, event: created(seq) }]);
    await start();
    await eventually(async () => (await indexed(channel)) === 40, 30_000);
    expect(await indexed(channel)).toBe(40);
  });

  it('G2: goes on when Postgres ends all its sessions', async () => {
    const { sql } = database.connection;
    const channel = randomUUID();
    await start();
    for (let seq = 1; seq <= 60; seq += 1) {
      await appendToLog(sql, [{ key: channel, event: created(seq) }]);
      if (seq % 20 === 0) await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'colink-%' AND application_name <> 'colink-test' AND datname = current_database()`;
    }
    await eventually(async () => (await indexed(channel)) === 60, 30_000);
    expect(await indexed(channel)).toBe(60);
  });

  it('is ready without its broker, and ends on SIGTERM all the same', async () => {
    const fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: '127.0.0.1:1' });
    fleets.add(fleet);
    await eventually(() => fleet.lines.some((line) => line.includes('the relay leads')), 30_000);
    const ready = await fetch(`${fleet.url}/ready`);
    expect({ status: ready.status, body: await ready.json() }).toEqual({ status: 200, body: { status: 'degraded', postgres: 'ok', kafka: 'unavailable' } });
    const begun = Date.now();
    expect(await fleet.end('SIGTERM')).toBe(0);
    expect(Date.now() - begun).toBeLessThan(25_000);
  });

  it('is alive but not ready without Postgres, and ends on SIGTERM all the same', async () => {
    const fleet = await startFleetProcess({ DATABASE_URL: 'postgres://colink@127.0.0.1:1/colink', WORKER_URL: 'http://127.0.0.1:1', FLEET_TOKEN: 'x' });
    fleets.add(fleet);
    // Long enough for the driver to have failed many times.
    await new Promise((resolve) => {
      setTimeout(resolve, 2_000);
    });
    expect((await fetch(`${fleet.url}/health`)).status).toBe(200);
    expect((await fetch(`${fleet.url}/ready`)).status).toBe(503);
    expect((await fetch(`${fleet.url}/metrics`)).status).toBe(200);
    const begun = Date.now();
    expect(await fleet.end('SIGTERM')).toBe(0);
    expect(Date.now() - begun).toBeLessThan(15_000);
  });
});
