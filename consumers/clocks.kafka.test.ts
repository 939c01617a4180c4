import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { connect, type Connection } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { missingPartitions } from '../db/partitions.ts';
import { readClock } from '../db/queries/time.ts';
import { type RunningPostgres, startPostgres } from '../dev/postgres.ts';
import { recordEffects } from '../tests/support/effects.ts';
import { eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../tests/support/fleet.ts';
import { Pipeline } from '../tests/support/pipeline.ts';
import { skewedClock, whyNoSkewedClock } from '../tests/support/skewed-clock.ts';

const broker = inject('kafkaBrokers');
const missing = whyNoSkewedClock();
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** By how much rooms and processes of the fleet are off. */
const SKEWS = [0, 10 * MINUTE, -10 * MINUTE, DAY, -DAY];
/** Of a row that no partition takes: a violated check without a constraint. */
const NO_PARTITION = '23514';

describe.skipIf(broker === '' || missing !== null)(`clocks that differ${missing === null ? '' : ` (${missing})`}`, { timeout: 300_000 }, () => {
  let directory: string;
  let postgres: RunningPostgres;
  let connection: Connection;
  const fleets: FleetProcess[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'colink-clocks-'));
    await chmod(directory, 0o755);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  let data = 0;
  beforeEach(() => {
    data += 1;
  });
  afterEach(async () => {
    await Promise.all(fleets.splice(0).map((fleet) => fleet.end('SIGKILL')));
    await connection.close(1);
    await postgres.stop();
  }, 60_000);

  /** Postgres with a clock of its own: `at` in milliseconds since 1970 is its present. On the data it had, if it ran before. */
  async function startRecord(at: number, port?: number): Promise<void> {
    const settings = { shared_buffers: '16MB', max_connections: '60' };
    postgres = await startPostgres({ dataDir: join(directory, `postgres-${data}`), settings, environment: skewedClock(at - Date.now()), ...(port !== undefined && { port }) });
  }

  async function open(at: number): Promise<void> {
    await startRecord(at);
    await migrate(postgres.url);
    connection = connect(postgres.url, { max: 6, applicationName: 'colink-test' });
    await recordEffects(connection.sql);
    expect(Math.abs((await readClock(connection.sql)) - at)).toBeLessThan(2 * MINUTE);
  }

  /** The same server again, its clock set to another time: forth or back. */
  async function setClock(at: number): Promise<void> {
    await postgres.stop();
    await startRecord(at, postgres.port);
  }

  async function start(skew: number): Promise<FleetProcess> {
    const fleet = await startFleetProcess({ DATABASE_URL: postgres.url, KAFKA_BROKERS: broker, ...(skew !== 0 && skewedClock(skew)) });
    fleets.push(fleet);
    return fleet;
  }

  async function acknowledge(pipeline: Pipeline, more: number): Promise<void> {
    const before = pipeline.acknowledged;
    await eventually(() => pipeline.acknowledged >= before + more, 60_000, () => ({ refusals: [...pipeline.refusals] }));
  }

  async function expectAllThere(pipeline: Pipeline): Promise<void> {
    await pipeline.stop();
    await pipeline.settle(90_000);
    const violations = await pipeline.violations(broker);
    expect(violations.slice(0, 20), `${violations.length} violations`).toEqual([]);
    expect(await pipeline.account()).toMatchObject({ parked: 0, dead: 0, discarded: 0 });
  }

  /** The first moment of the month after next, so that no partition of it is there by chance. */
  function aMonthsEdge(): number {
    const now = new Date();
    return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 2, 1);
  }

  it('G1, G2, G3: rooms and fleet off by ±10 minutes and ±1 day, Postgres at the first minute of a month it was made in: nothing is lost, and the order is that of seq', async () => {
    const edge = aMonthsEdge();
    await open(edge + MINUTE);
    const offset = edge + MINUTE - Date.now();
    const pipeline = await Pipeline.open(connection, 10, { clockOf: (n) => () => Date.now() + offset + (SKEWS[n % SKEWS.length] ?? 0) });
    pipeline.start(200);
    // A day ahead leads the relay first, then a day behind, then one that is right: Kafka's own clock is months from all of them.
    for (const skew of [offset + DAY, offset - DAY, offset + 10 * MINUTE]) {
      const fleet = await start(skew);
      const before = (await pipeline.account()).done;
      await eventually(async () => (await pipeline.account()).done > before + 200, 90_000, () => ({ refusals: [...pipeline.refusals], said: fleet.lines.slice(-3) }));
      const metrics = await (await fetch(`${fleet.url}/metrics`)).text();
      const ahead = Number(/^colink_clock_ahead_seconds (\S+)$/m.exec(metrics)?.[1]);
      expect(Math.abs(ahead * 1_000 - (skew - offset))).toBeLessThan(MINUTE);
      expect(await fleet.end('SIGTERM'), `${fleet.lines.slice(-5).join('\n')}`).toBe(0);
    }
    await start(offset);
    expect(Object.fromEntries(pipeline.refusals)).toEqual({});
    await expectAllThere(pipeline);
    const months = await connection.sql<{ month: string }[]>`SELECT DISTINCT m.tableoid::regclass::text AS month FROM messages m ORDER BY 1`;
    expect(months).toHaveLength(2);
  });

  it('G1, G3: a month and a day that have no partition yet: drains wait and say so, nothing is a dead letter, and all goes on once maintenance has made them', async () => {
    const edge = aMonthsEdge();
    await open(edge - 10 * MINUTE);
    const sql = connection.sql;
    const day = new Date(edge).toISOString().slice(0, 10).replaceAll('-', '_');
    const month = day.slice(0, 7);
    let ahead = edge - 10 * MINUTE - Date.now();
    const pipeline = await Pipeline.open(connection, 6, { clockOf: () => () => Date.now() + ahead });
    const fleet = await start(0);
    await eventually(() => fleet.lines.some((line) => line.includes('maintenance done')), 30_000);
    // As if maintenance had not run for months. The fleet's own looks again in an hour.
    for (const table of [`messages_${month}`, `search_messages_${month}`, `event_log_${day}`]) await sql.unsafe(`SET lock_timeout = '20s'; DROP TABLE ${table}`);
    pipeline.start(120);
    await acknowledge(pipeline, 100);
    await setClock(edge - 3_000);
    ahead = edge - 3_000 - Date.now();
    await eventually(() => (pipeline.refusals.get(NO_PARTITION) ?? 0) > 5, 60_000, () => ({ refusals: [...pipeline.refusals] }));
    const stoodAt = pipeline.acknowledged;
    const named = await missingPartitions(sql);
    expect(named).toEqual(expect.arrayContaining([`messages_${month}`, `search_messages_${month}`, `event_log_${day}`]));
    const metrics = await (await fetch(`${fleet.url}/metrics`)).text();
    expect(Number(/^colink_partitions_missing (\S+)$/m.exec(metrics)?.[1])).toBe(named.length);
    expect(pipeline.acknowledged).toBe(stoodAt);
    expect(await pipeline.account()).toMatchObject({ parked: 0, dead: 0, discarded: 0 });
    // Whoever starts does the maintenance first of all.
    await start(0);
    await acknowledge(pipeline, 100);
    expect(await missingPartitions(sql)).toEqual([]);
    await expectAllThere(pipeline);
  });

  it('G1: a Postgres whose clock is set back by two days, as a failover may do: what is written then is relayed too', async () => {
    const at = Date.now();
    await open(at);
    const pipeline = await Pipeline.open(connection, 4);
    const fleet = await start(0);
    pipeline.start(100);
    await acknowledge(pipeline, 100);
    await eventually(async () => (await pipeline.account()).done > 0, 60_000);
    // The relay has a place of before. If it looked before anything more is written, it would begin at the new time: so nobody looks.
    await fleet.end('SIGKILL');
    await setClock(at - 2 * DAY);
    await acknowledge(pipeline, 100);
    await start(0);
    await expectAllThere(pipeline);
  });
});
