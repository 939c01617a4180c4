import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { recordEffects } from '../tests/support/effects.ts';
import { eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../tests/support/fleet.ts';
import { Pipeline } from '../tests/support/pipeline.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { createKafka } from './kafka/client.ts';

const broker = inject('kafkaBrokers');
/** How many fleets are ended, one after the other. `COLINK_SHUTDOWNS=100` takes some minutes. */
const ROUNDS = Number(process.env['COLINK_SHUTDOWNS'] ?? 6);
const ROUND_MS = 12_000;

describe.skipIf(broker === '')('SIGTERM under load', () => {
  let database: TestDatabase;
  const fleets = new Set<FleetProcess>();

  beforeAll(async () => {
    database = await testDatabase();
    await recordEffects(database.connection.sql);
  });

  afterAll(async () => {
    await Promise.all([...fleets].map((fleet) => fleet.end('SIGKILL')));
    await database.drop();
  });

  async function start(): Promise<FleetProcess> {
    const fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker });
    fleets.add(fleet);
    return fleet;
  }

  const sessions = async (): Promise<number> => {
    const [row] = await database.connection.sql<[{ held: number }]>`
      SELECT count(*)::integer AS held FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'colink-test' AND application_name LIKE 'colink-%'`;
    return row.held;
  };

  async function isJoined(groupId: string): Promise<boolean> {
    const admin = createKafka({ brokers: [broker], clientId: 'colink-test', log: pino({ level: 'silent' }) }).admin();
    await admin.connect();
    const { groups } = await admin.describeGroups([groupId]);
    await admin.disconnect();
    return groups.some(({ state, members }) => state === 'Stable' && members.length > 0);
  }

  it(`G1, G2, G3: ${ROUNDS} times, at any moment, also while it joins its groups: it ends by itself, in time, and nothing is lost, doubled or out of order`, async () => {
    const pipeline = await Pipeline.open(database.connection, 12);
    pipeline.start(300);
    const durations: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const fleet = await start();
      // From before the groups are joined to well under way, evenly over the rounds.
      await sleep((round % 8) * 350);
      const begun = performance.now();
      expect(await fleet.end('SIGTERM'), `round ${round}: ${fleet.lines.slice(-5).join('\n')}`).toBe(0);
      durations.push(performance.now() - begun);
      expect(await sessions()).toBe(0);
    }
    await pipeline.stop();
    const last = await start();
    await pipeline.settle(40_000);
    expect(await last.end('SIGTERM')).toBe(0);
    const violations = await pipeline.violations(broker);
    expect(violations.slice(0, 20), `${violations.length} violations`).toEqual([]);
    const slowest = Math.max(...durations);
    expect(slowest).toBeLessThan(25_000);
    console.info(`${ROUNDS} fleets ended, the slowest in ${Math.round(slowest)} ms; ${pipeline.acknowledged} messages`);
  }, 60_000 + ROUNDS * ROUND_MS);

  it('ends within seconds while its join waits for a member that was killed', async () => {
    const killed = await start();
    await eventually(() => isJoined('search-indexer'), 60_000);
    expect(await killed.end('SIGKILL')).toBe('SIGKILL');
    const joining = await start();
    // Long enough to have asked, and well within the session of the one that was killed.
    await sleep(1_500);
    const begun = performance.now();
    expect(await joining.end('SIGTERM'), `${joining.lines.slice(-5).join('\n')}`).toBe(0);
    expect(performance.now() - begun).toBeLessThan(8_000);
  }, 120_000);
});
