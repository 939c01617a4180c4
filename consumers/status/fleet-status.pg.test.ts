import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendRun, appendToLog, created, eventually } from '../../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { createKafka } from '../kafka/client.ts';
import { type FleetStatus, readFleetStatus } from './fleet-status.ts';
import { embeddedStatus, kafkaStatus } from './transport.ts';

describe('the status of a fleet on the embedded transport', () => {
  let database: TestDatabase;
  let fleet: FleetProcess | null = null;

  beforeEach(async () => {
    database = await testDatabase();
  });

  afterEach(async () => {
    await fleet?.end('SIGKILL');
    fleet = null;
    await database.drop();
  });

  const read = (): Promise<FleetStatus> => readFleetStatus({ sql: database.connection.sql, transport: embeddedStatus(database.connection.sql), sampleMs: 100 });

  /** Runs a fleet until it has taken ten messages. */
  async function takeTen(): Promise<FleetProcess> {
    const [key, { sql }] = [randomUUID(), database.connection];
    fleet = await startFleetProcess({ DATABASE_URL: database.url });
    await appendRun(sql, key, 1, 10);
    await eventually(async () => (await sql`SELECT FROM search_messages WHERE channel_id = ${key}`).count === 10);
    return fleet;
  }

  it('of a database that no fleet has seen is empty', async () => {
    expect(await read()).toMatchObject({ transport: 'embedded', kafka_fault: null, relay: null, groups: [], drain_dead_letters: 0 });
  });

  it('says who reads, how far the group is and when it took its last batch', async () => {
    const { pid } = await takeTen();
    const { groups } = await read();
    const reader = `${hostname().slice(0, 40)}`;
    expect(groups).toMatchObject([{ group: 'search-indexer', lag: 0, parked_keys: 0, dead_letters: 0, partitions: [{ topic: 'message.events', partition: 0, lag: 0 }] }]);
    expect(groups[0]?.partitions[0]?.reader).toContain(`:${pid}`);
    expect(groups[0]?.partitions[0]?.reader).toContain(reader.slice(0, 20));
    expect(Date.now() - Date.parse(groups[0]?.last_progress ?? '')).toBeLessThan(10_000);
  });

  it('measures the rate while records are taken', async () => {
    await takeTen();
    const measured = readFleetStatus({ sql: database.connection.sql, transport: embeddedStatus(database.connection.sql), sampleMs: 1_000 });
    await appendRun(database.connection.sql, randomUUID(), 1, 50);
    const [group] = (await measured).groups;
    expect(group?.records_per_second).toBeGreaterThan(20);
    expect(group?.records_per_second).toBeLessThanOrEqual(50);
  });

  it('counts what waits behind a fleet that is gone, and dead letters', async () => {
    const { sql } = database.connection;
    const running = await takeTen();
    await appendToLog(sql, [{ key: randomUUID(), event: created(1), type: 'colink.message.created.v9' }]);
    await eventually(async () => (await read()).groups[0]?.dead_letters === 1);
    await running.end('SIGKILL');
    await appendRun(sql, randomUUID(), 1, 7);
    await eventually(async () => (await read()).groups[0]?.partitions[0]?.reader === null);
    expect((await read()).groups).toMatchObject([{ lag: 7, records_per_second: 0, dead_letters: 1 }]);
  });

  it('tells what Postgres knows where Kafka does not answer', async () => {
    await takeTen();
    const { sql } = database.connection;
    const kafka = createKafka({ brokers: ['127.0.0.1:1'], clientId: 'colink-test', log: pino({ level: 'silent' }) });
    const status = await readFleetStatus({ sql, transport: kafkaStatus(kafka, sql), sampleMs: 100 });
    expect(status.kafka_fault).toMatch(/connect|ECONNREFUSED/i);
    expect(status.groups).toMatchObject([{ group: 'search-indexer', lag: null, records_per_second: null, partitions: [{ lag: null, reader: null }] }]);
  });
});
