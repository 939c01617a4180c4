import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type KafkaCluster, startKafkaCluster } from '../dev/kafka/cluster.ts';
import { countEffects, recordEffects } from '../tests/support/effects.ts';
import { eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../tests/support/fleet.ts';
import { Pipeline } from '../tests/support/pipeline.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';

describe.skipIf(inject('kafkaBrokers') === '')('on a cluster of three brokers', () => {
  let database: TestDatabase;
  let cluster: KafkaCluster | undefined;
  let fleet: FleetProcess | undefined;
  let dataDir: string;
  let pipeline: Pipeline;

  beforeAll(async () => {
    database = await testDatabase();
    await recordEffects(database.connection.sql);
    dataDir = await mkdtemp(join(tmpdir(), 'colink-cluster-'));
    cluster = await startKafkaCluster(dataDir);
    fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: cluster.brokers, KAFKA_REPLICATION_FACTOR: '3' });
    pipeline = await Pipeline.open(database.connection, 12);
  }, 120_000);

  afterAll(async () => {
    await fleet?.end('SIGKILL');
    await cluster?.stop();
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  function theCluster(): KafkaCluster {
    if (cluster === undefined) throw new Error('no cluster');
    return cluster;
  }

  const effects = (): Promise<number> => countEffects(database.connection.sql);
  /** Waits until the groups have taken `more` than they have now. */
  async function progress(more: number, withinMs: number): Promise<void> {
    const before = await effects();
    await eventually(async () => (await effects()) >= before + more, withinMs);
  }

  /** Dead letters, whatever became of them. Of a broker that is away there may be none. */
  async function deadLetters(): Promise<number> {
    const [row] = await database.connection.sql<[{ count: number }]>`SELECT count(*)::integer AS count FROM dead_letters`;
    return row.count;
  }

  async function expectAllThere(): Promise<void> {
    await pipeline.settle(60_000);
    const violations = await pipeline.violations(theCluster().brokers);
    expect(violations.slice(0, 20), `${violations.length} violations`).toEqual([]);
    expect(await deadLetters()).toBe(0);
  }

  it('G1, G2, G3: one of three killed under load, one after the other: records go on, and none is lost, doubled or out of order', async () => {
    pipeline.start(200);
    await progress(100, 60_000);
    for (const node of [1, 2, 3] as const) {
      await theCluster().kill(node);
      await progress(200, 60_000);
      await theCluster().start(node);
      await progress(100, 60_000);
    }
    await pipeline.stop();
    await expectAllThere();
  }, 300_000);

  it('G1, G2, G3: two of three down: relay and groups wait, nothing becomes a dead letter; back again, everything comes through', async () => {
    const { kill, start } = theCluster();
    await Promise.all([kill(1), kill(2)]);
    const before = await effects();
    await pipeline.burst(30);
    await sleep(8_000);
    expect(await effects()).toBe(before);
    const metrics = await (await fetch(`${fleet?.url}/metrics`)).text();
    expect(Number(/^colink_relay_unrelayed_age_seconds (\S+)$/m.exec(metrics)?.[1])).toBeGreaterThan(5);
    const ready = await fetch(`${fleet?.url}/ready`);
    expect(ready.status).toBe(200);
    expect(await deadLetters()).toBe(0);
    await Promise.all([start(1), start(2)]);
    await expectAllThere();
  }, 200_000);
});
