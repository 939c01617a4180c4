import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendRun, appendToLog, created, eventually } from '../../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { createKafka } from '../kafka/client.ts';
import { knownGroups } from '../services.ts';
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
    await eventually(async () => (await sql`SELECT FROM search_messages WHERE channel_id = ${key}`).count === 10, 30_000);
    return fleet;
  }

  const indexer = async () => (await read()).groups.find(({ group }) => group === 'search-indexer');

  it('of a database that no fleet has seen names every group a fleet of this version has, and that none has ever taken a batch', async () => {
    const status = await read();
    expect(status).toMatchObject({ transport: 'embedded', kafka_fault: null, relay: null, drain_dead_letters: 0 });
    expect(status.groups.map(({ group }) => group)).toEqual(knownGroups().map(({ id }) => id));
    expect(status.groups.length).toBeGreaterThan(4);
    for (const group of status.groups) {
      expect(group).toMatchObject({ lag: 0, records_per_second: 0, last_progress: null });
      expect(group.partitions.map(({ topic, reader, last_progress }) => ({ topic, reader, last_progress }))).toEqual(
        knownGroups().find(({ id }) => id === group.group)?.topics.map((topic) => ({ topic, reader: null, last_progress: null })),
      );
    }
  });

  it('names a group that waits for something, with what it has not taken, and one that only another version had', async () => {
    const { sql } = database.connection;
    await takeTen();
    await sql`INSERT INTO consumer_offsets (group_id, topic, partition, cursor) SELECT 'of-another-version', o.topic, o.partition, o.cursor FROM consumer_offsets o LIMIT 1`;
    const { groups } = await read();
    expect(groups.find(({ group }) => group === 'notifier')).toMatchObject({ lag: 10, last_progress: null });
    expect(groups.at(-1)).toMatchObject({ group: 'of-another-version', lag: 0 });
  });

  it('says who reads, how far the group is and when it took its last batch', async () => {
    const { pid } = await takeTen();
    const group = await indexer();
    const reader = `${hostname().slice(0, 40)}`;
    const partitions = ['message.events', 'user.events', 'file.events'].map((topic) => ({ topic, partition: 0, lag: 0 }));
    expect(group).toMatchObject({ lag: 0, parked_keys: 0, dead_letters: 0, partitions });
    expect(group?.partitions[0]?.reader).toContain(`:${pid}`);
    expect(group?.partitions[0]?.reader).toContain(reader.slice(0, 20));
    expect(Date.now() - Date.parse(group?.last_progress ?? '')).toBeLessThan(10_000);
  });

  it('measures the rate while records are taken', async () => {
    await takeTen();
    const measured = readFleetStatus({ sql: database.connection.sql, transport: embeddedStatus(database.connection.sql), sampleMs: 1_000 });
    // From before the first look until after the last one, however long a busy machine takes for both.
    let written = 0;
    const [key, ending] = [randomUUID(), new AbortController()];
    const over = measured.finally(() => ending.abort());
    for (; !ending.signal.aborted; written += 5) await appendRun(database.connection.sql, key, written + 1, written + 5);
    const group = (await over).groups.find((one) => one.group === 'search-indexer');
    expect(group?.records_per_second).toBeGreaterThan(0);
    expect(group?.records_per_second).toBeLessThanOrEqual(written);
  });

  it('counts what waits behind a fleet that is gone, and dead letters', async () => {
    const { sql } = database.connection;
    const running = await takeTen();
    await appendToLog(sql, [{ key: randomUUID(), event: created(1), type: 'colink.message.created.v9' }]);
    await eventually(async () => (await indexer())?.dead_letters === 1);
    await running.end('SIGKILL');
    await appendRun(sql, randomUUID(), 1, 7);
    await eventually(async () => (await indexer())?.partitions[0]?.reader === null);
    expect(await indexer()).toMatchObject({ lag: 7, records_per_second: 0, dead_letters: 1 });
  });

  it('tells what Postgres knows where Kafka does not answer', async () => {
    await takeTen();
    const { sql } = database.connection;
    const kafka = createKafka({ brokers: ['127.0.0.1:1'], clientId: 'colink-test', log: pino({ level: 'silent' }) });
    const status = await readFleetStatus({ sql, transport: kafkaStatus(kafka, sql), sampleMs: 100 });
    expect(status.kafka_fault).toMatch(/connect|ECONNREFUSED/i);
    const indexing = status.groups.find(({ group }) => group === 'search-indexer');
    expect(indexing).toMatchObject({ lag: null, records_per_second: null, partitions: [{ lag: null, reader: null }] });
    expect(status.groups.find(({ group }) => group === 'notifier')).toMatchObject({ lag: null, last_progress: null, partitions: [] });
  });
});
