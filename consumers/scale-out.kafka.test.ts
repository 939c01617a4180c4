import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { recordEffects } from '../tests/support/effects.ts';
import { eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../tests/support/fleet.ts';
import { Pipeline } from '../tests/support/pipeline.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { createKafka } from './kafka/client.ts';
import { readFleetStatus } from './status/fleet-status.ts';
import { kafkaStatus } from './status/transport.ts';

const broker = inject('kafkaBrokers');
const PARTITIONS = 12;

describe.skipIf(broker === '')('several processes of the fleet on one broker', () => {
  let database: TestDatabase;
  const fleets: FleetProcess[] = [];

  beforeAll(async () => {
    database = await testDatabase();
    await recordEffects(database.connection.sql);
  });

  afterAll(async () => {
    await Promise.all(fleets.map((fleet) => fleet.end('SIGKILL')));
    await database.drop();
  });

  async function add(): Promise<void> {
    fleets.push(await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker }));
  }

  /** Ends one of them as a power cut would. */
  async function kill(index: number): Promise<void> {
    const [fleet] = fleets.splice(index, 1);
    expect(await fleet?.end('SIGKILL')).toBe('SIGKILL');
  }

  /** How many partitions of the index's topic each process reads, by its process id. */
  async function shares(): Promise<Map<number, number>> {
    const { sql } = database.connection;
    const kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log: pino({ level: 'silent' }) });
    const { groups } = await readFleetStatus({ sql, transport: kafkaStatus(kafka, sql), sampleMs: 100 });
    const partitions = groups.find(({ group }) => group === 'search-indexer')?.partitions.filter(({ topic }) => topic === 'message.events') ?? [];
    const read = Map.groupBy(partitions.filter(({ reader }) => reader !== null), ({ reader }) => Number(reader?.split(':').at(-1)));
    return new Map([...read].map(([pid, all]) => [pid, all.length]));
  }

  /** Waits until exactly the processes that live share all partitions, none more than one above another's. */
  async function spread(withinMs: number): Promise<void> {
    let seen = new Map<number, number>();
    const isSpread = async (): Promise<boolean> => {
      seen = await shares();
      const counts = fleets.map(({ pid }) => seen.get(pid) ?? 0);
      return counts.reduce((sum, count) => sum + count, 0) === PARTITIONS && Math.max(...counts) - Math.min(...counts) <= 1;
    };
    await eventually(isSpread, withinMs, () => ({ processes: fleets.map(({ pid }) => pid), shares: [...seen] }));
  }

  it('G1, G2, G3, G7: share the partitions; killed and added at will under load, they lose, double and reorder nothing', async () => {
    const pipeline = await Pipeline.open(database.connection, 24);
    pipeline.start(400);
    await add();
    await add();
    await spread(30_000);
    await add();
    await spread(30_000);
    await kill(0);
    await add();
    await sleep(1_500);
    await kill(1);
    await sleep(500);
    await kill(0);
    await add();
    await spread(40_000);
    await pipeline.stop();
    await pipeline.settle(40_000);
    const violations = await pipeline.violations(broker);
    expect(violations.slice(0, 20), `${violations.length} violations`).toEqual([]);
    console.info(`${pipeline.acknowledged} messages through a fleet of two to three processes, three of them killed`);
  }, 180_000);
});
