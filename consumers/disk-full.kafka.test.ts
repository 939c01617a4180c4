import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { connect, type Connection } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { type KafkaBroker, startKafka } from '../dev/kafka/broker.ts';
import { type RunningPostgres, startPostgres } from '../dev/postgres.ts';
import { recordEffects } from '../tests/support/effects.ts';
import { eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../tests/support/fleet.ts';
import { Pipeline } from '../tests/support/pipeline.ts';
import { mountSmallDisk, type SmallDisk, whyNoSmallDisk } from '../tests/support/small-disk.ts';

const run = promisify(execFile);
const broker = inject('kafkaBrokers');
const missing = whyNoSmallDisk();
const DISK_FULL = '53100';
const MEGABYTE = 1024 * 1024;
/** Small, so that a disk of some hundred megabytes holds it. */
const SETTINGS = { shared_buffers: '16MB', min_wal_size: '32MB', max_wal_size: '64MB', max_connections: '60' };

describe.skipIf(broker === '' || missing !== null)(`a disk that is full${missing === null ? '' : ` (${missing})`}`, { timeout: 300_000 }, () => {
  let disk: SmallDisk;
  let directory: string;
  let postgres: RunningPostgres;
  let connection: Connection;
  let pipeline: Pipeline;
  const fleets: FleetProcess[] = [];
  const endings: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    disk = await mountSmallDisk(300);
    directory = await mkdtemp(join(tmpdir(), 'colink-disk-full-'));
    await chmod(directory, 0o755);
  });

  afterEach(async () => {
    await Promise.all(fleets.splice(0).map((fleet) => fleet.end('SIGKILL')));
    await connection.close(1);
    for (const end of endings.splice(0)) await end();
    await postgres.stop();
    await disk.giveBack();
    await disk.unmount();
    await rm(directory, { recursive: true, force: true });
  }, 60_000);

  /** A Postgres of its own with its data in one place and its log of writes in another. */
  async function startRecord(dataDir: string, walDir: string): Promise<void> {
    const first = await startPostgres({ dataDir, settings: SETTINGS });
    await first.stop();
    await run('cp', ['-a', join(dataDir, 'pg_wal'), walDir]);
    await rm(join(dataDir, 'pg_wal'), { recursive: true });
    await symlink(walDir, join(dataDir, 'pg_wal'));
    postgres = await startPostgres({ dataDir, port: first.port, settings: SETTINGS });
    await migrate(postgres.url);
    connection = connect(postgres.url, { max: 4, applicationName: 'colink-test' });
    await recordEffects(connection.sql);
    pipeline = await Pipeline.open(connection, 8);
  }

  async function start(role: 'relay' | 'groups' | 'all', brokers = broker): Promise<FleetProcess> {
    const fleet = await startFleetProcess({ DATABASE_URL: postgres.url, KAFKA_BROKERS: brokers }, ['--run', role]);
    fleets.push(fleet);
    return fleet;
  }

  /** Waits until so many more messages are acknowledged. */
  async function acknowledge(more: number, withinMs = 30_000): Promise<void> {
    const before = pipeline.acknowledged;
    await eventually(() => pipeline.acknowledged >= before + more, withinMs, () => ({ refusals: [...pipeline.refusals] }));
  }

  const waitsForSpace = ({ lines }: FleetProcess): boolean => lines.some((line) => line.includes(DISK_FULL) && line.includes('waits'));

  async function expectAllThere(brokers = broker): Promise<void> {
    await pipeline.stop();
    await pipeline.settle(60_000);
    const violations = await pipeline.violations(brokers);
    expect(violations.slice(0, 20), `${violations.length} violations`).toEqual([]);
    expect(await pipeline.account()).toMatchObject({ parked: 0, dead: 0, discarded: 0 });
    console.info(`${pipeline.acknowledged} messages, refusals ${JSON.stringify([...pipeline.refusals])}`);
  }

  it('G1, G2, G3: Postgres can grow no table: drain and groups wait, nothing is parked or a dead letter, and all goes on once there is space', async () => {
    await startRecord(join(disk.path, 'postgres'), join(directory, 'wal'));
    await start('relay');
    const first = await start('groups');
    pipeline.start(500);
    await acknowledge(500);
    // What the groups are behind with, they will have no space for either.
    expect(await first.end('SIGTERM')).toBe(0);
    await acknowledge(2_000);
    await disk.fill(MEGABYTE);
    await eventually(() => (pipeline.refusals.get(DISK_FULL) ?? 0) > 3, 30_000, () => ({ refusals: [...pipeline.refusals] }));
    await disk.fill(0);
    const groups = await start('groups');
    await eventually(() => waitsForSpace(groups), 30_000, () => groups.lines.slice(-5));
    await sleep(5_000);
    expect(await pipeline.account()).toMatchObject({ parked: 0, dead: 0, discarded: 0 });
    await eventually(async () => (await fetch(`${groups.url}/ready`)).ok, 15_000);
    await disk.giveBack();
    await acknowledge(500);
    await expectAllThere();
  });

  it('G1, G2, G3: Postgres can write no log and ends with a PANIC: what it acknowledged is there once it has space, and the fleet goes on by itself', async () => {
    await startRecord(join(directory, 'postgres'), join(disk.path, 'wal'));
    await start('all');
    pipeline.start(500);
    await acknowledge(500);
    await disk.fill(0);
    await eventually(async () => (await readFile(postgres.logFile, 'utf8')).includes('PANIC'), 90_000, () => ({ refusals: [...pipeline.refusals] }));
    await sleep(2_000);
    await disk.giveBack();
    // It comes back by itself, if it had not given up on its recovery.
    const isUp = await Promise.race([postgres.exited.then(() => false), acknowledge(50).then(() => true, () => true)]);
    if (!isUp) postgres = await startPostgres({ dataDir: join(directory, 'postgres'), port: postgres.port, settings: SETTINGS });
    await acknowledge(500);
    await expectAllThere();
  });

  it('G1, G2, G3: the broker can write no log and ends: the relay waits, and what was acknowledged is there at the next start', async () => {
    await startRecord(join(directory, 'postgres'), join(directory, 'wal'));
    const options = { dataDir: join(disk.path, 'kafka'), logFile: join(directory, 'kafka.log') };
    let kafka: KafkaBroker = await startKafka(options);
    endings.push(() => kafka.stop());
    const { brokers } = kafka;
    const fleet = await start('all', brokers);
    pipeline.start(500);
    await acknowledge(500);
    await disk.fill(0);
    await kafka.exited;
    const before = pipeline.acknowledged;
    await acknowledge(500);
    expect(pipeline.acknowledged).toBeGreaterThan(before);
    await eventually(async () => (await fetch(`${fleet.url}/ready`)).ok, 15_000);
    expect(await pipeline.account()).toMatchObject({ parked: 0, dead: 0, discarded: 0 });
    await disk.giveBack();
    kafka = await startKafka({ ...options, port: kafka.port });
    await acknowledge(200);
    await expectAllThere(brokers);
  });
});
