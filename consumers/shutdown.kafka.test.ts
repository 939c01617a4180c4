import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { seededRandom } from '../client/testing/random.ts';
import { countEffects, recordEffects } from '../tests/support/effects.ts';
import { eventually } from '../tests/support/event-log.ts';
import { type BareFleetProcess, type FleetProcess, spawnFleetProcess, startFleetProcess } from '../tests/support/fleet.ts';
import { isLingering, lingerOnCursors } from '../tests/support/linger.ts';
import { Pipeline } from '../tests/support/pipeline.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { seedOfRun } from '../tests/support/seed.ts';
import { createKafka } from './kafka/client.ts';

const broker = inject('kafkaBrokers');
/** How many processes of the fleet are ended in one run, and how many there are at once. `COLINK_SHUTDOWNS` takes another number. */
const ENDINGS = Number(process.env['COLINK_SHUTDOWNS'] ?? 100);
const AT_ONCE = 4;
/** The longest that one lives, in milliseconds: the last of a wave is at work then, alone. */
const LIFE_MS = 6_000;
/** Seconds that a batch takes at least: longer than sockets are given to close. */
const LINGER = 2;
const SEED = seedOfRun();

describe.skipIf(broker === '')(`SIGTERM under load (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  let database: TestDatabase;
  const fleets = new Set<BareFleetProcess>();

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

  async function groupOf(groupId: string): Promise<{ isStable: boolean; members: string[] }> {
    const admin = createKafka({ brokers: [broker], clientId: 'colink-test', log: pino({ level: 'silent' }) }).admin();
    await admin.connect();
    const { groups } = await admin.describeGroups([groupId]);
    await admin.disconnect();
    return { isStable: groups.some(({ state }) => state === 'Stable'), members: groups.flatMap(({ members }) => members.map(({ memberId }) => memberId)) };
  }

  /** A broker whose first group this is has nobody yet to ask of it. */
  async function isJoined(groupId: string): Promise<boolean> {
    const { isStable, members } = await groupOf(groupId).catch(() => ({ isStable: false, members: [] }));
    return isStable && members.length > 0;
  }

  /** What a process had come to when it was told to end, by its own log. */
  function momentOf({ lines }: BareFleetProcess): 'loading' | 'starting' | 'leading' {
    if (!lines.some((line) => line.includes('the fleet runs'))) return 'loading';
    return lines.some((line) => line.includes('the relay leads')) ? 'leading' : 'starting';
  }

  it(`G1, G2, G3: ${ENDINGS} processes, ${AT_ONCE} at once, each at a random moment from loading on: all end by themselves, in time, and nothing is lost, doubled or out of order`, async () => {
    const pipeline = await Pipeline.open(database.connection, 12);
    pipeline.start(300);
    const durations: number[] = [];
    const moments = { loading: 0, starting: 0, leading: 0 };
    async function endOne(): Promise<void> {
      const fleet = await spawnFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker });
      fleets.add(fleet);
      // A third of them early, evenly over what is left of loading.
      await sleep(random() * (random() < 0.3 ? 600 : LIFE_MS));
      moments[momentOf(fleet)] += 1;
      const at = performance.now();
      expect(await fleet.end('SIGTERM'), `seed ${SEED}: ${fleet.lines.slice(-5).join('\n')}`).toBe(0);
      durations.push(performance.now() - at);
    }
    // In waves: where another starts as soon as one has ended, no group is ever put together, and nobody is ended at work.
    for (let begun = 0; begun < ENDINGS; begun += AT_ONCE) await Promise.all(Array.from({ length: Math.min(AT_ONCE, ENDINGS - begun) }, endOne));
    expect(await sessions()).toBe(0);
    const taken = await countEffects(database.connection.sql);
    await pipeline.stop();
    const last = await start();
    await pipeline.settle(60_000);
    expect(await last.end('SIGTERM')).toBe(0);
    const violations = await pipeline.violations(broker);
    expect(violations.slice(0, 20), `seed ${SEED}: ${violations.length} violations`).toEqual([]);
    const slowest = Math.max(...durations);
    expect(slowest).toBeLessThan(25_000);
    expect(durations).toHaveLength(ENDINGS);
    expect(Object.entries(moments).filter(([, count]) => count === 0)).toEqual([]);
    // They were at work, not only on their way in and out.
    expect(taken).toBeGreaterThan(0);
    console.info(`seed ${SEED}: ${ENDINGS} ended, the slowest in ${Math.round(slowest)} ms; ${JSON.stringify(moments)}; ${taken} of ${pipeline.acknowledged} messages taken meanwhile`);
  }, 900_000);

  it('finishes the batch under way, and is no member of a group any more when it has ended', async () => {
    const { sql } = database.connection;
    const pipeline = await Pipeline.open(database.connection, 1);
    const fleet = await start();
    await eventually(() => isJoined('search-indexer'), 60_000);
    await lingerOnCursors(sql, 'search-indexer', LINGER);
    const before = await countEffects(sql);
    await pipeline.burst(5);
    await eventually(() => isLingering(sql), 60_000);
    expect(await countEffects(sql)).toBe(before);
    expect(await fleet.end('SIGTERM')).toBe(0);
    expect(await countEffects(sql)).toBe(before + 5);
    expect((await groupOf('search-indexer')).members).toEqual([]);
    await sql`DROP TRIGGER linger ON consumer_offsets`;
  }, 120_000);

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
