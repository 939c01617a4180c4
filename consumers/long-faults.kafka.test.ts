import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { seededRandom } from '../client/testing/random.ts';
import { recordEffects } from '../tests/support/effects.ts';
import { appendLate, appendRun, eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../tests/support/fleet.ts';
import { judgeProduce, type ProduceFate } from '../tests/support/kafka-link.ts';
import { Link } from '../tests/support/link.ts';
import { Pipeline } from '../tests/support/pipeline.ts';
import { testDatabase } from '../tests/support/postgres.ts';
import { type RelayBed, startRelayBed, throughLink } from '../tests/support/relay-bed.ts';
import { seedOfRun } from '../tests/support/seed.ts';
import { createKafka } from './kafka/client.ts';
import { RecordSender } from './kafka/record-sender.ts';
import { kafkaSink } from './outbox-relay/kafka-sink.ts';
import { createRelay } from './outbox-relay/relay.ts';

const broker = inject('kafkaBrokers');
const log = pino({ level: 'silent' });
/** In seconds: as long as they are said to be, and all at the same time, each in surroundings of its own. */
const AWAY_S = 60;
const OPEN_S = 60;
const FROZEN_S = 40;
const SEED = seedOfRun();

describe.skipIf(broker === '').concurrent(`faults that last (seed ${SEED})`, { timeout: 300_000 }, () => {
  const endings: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const end of endings.splice(0).toReversed()) await end();
  }, 60_000);

  async function start(environment: Readonly<Record<string, string>>, role: 'relay' | 'groups' | 'all'): Promise<FleetProcess> {
    const fleet = await startFleetProcess(environment, ['--run', role]);
    endings.push(() => fleet.end('SIGKILL'));
    return fleet;
  }

  async function startBed(random: () => number): Promise<RelayBed> {
    const bed = await startRelayBed(random);
    endings.push(() => bed.close());
    return bed;
  }

  async function startLink(databaseUrl: string): Promise<{ link: Link; url: string }> {
    const link = await Link.start({ port: Number(new URL(databaseUrl).port), random: seededRandom(SEED) });
    endings.push(() => link.close());
    return { link, url: throughLink(databaseUrl, link) };
  }

  async function membersOf(groupId: string): Promise<string[]> {
    const admin = createKafka({ brokers: [broker], clientId: 'colink-test', log }).admin();
    await admin.connect();
    const { groups } = await admin.describeGroups([groupId]);
    await admin.disconnect();
    return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId));
  }

  const metric = async ({ url }: FleetProcess, pattern: RegExp): Promise<number> => {
    const text = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) }).then((response) => response.text(), () => '');
    return Number(pattern.exec(text)?.[1] ?? Number.NaN);
  };
  const lagOf = (fleet: FleetProcess): Promise<number> => metric(fleet, /^colink_consumer_lag_records\{group="search-indexer"\} (\S+)$/m);
  const isLeading = async (fleet: FleetProcess): Promise<boolean> => (await metric(fleet, /^colink_relay_leading (\d+)/m)) > 0;

  it(`G1, G2, G3: what a group writes to is away for ${AWAY_S} s under load: it waits as a member, nothing is parked or a dead letter, all comes through after, and the lag is gone`, async () => {
    const database = await testDatabase();
    endings.push(() => database.drop());
    await recordEffects(database.connection.sql);
    const { link, url } = await startLink(database.url);
    await start({ DATABASE_URL: database.url, KAFKA_BROKERS: broker }, 'relay');
    const groups = await start({ DATABASE_URL: url, KAFKA_BROKERS: broker }, 'groups');
    const pipeline = await Pipeline.open(database.connection, 12);
    endings.push(() => pipeline.stop());
    pipeline.start(100);
    const done = async (): Promise<number> => (await pipeline.account()).done;
    await eventually(async () => (await done()) > 100, 60_000);

    const members = await membersOf('search-indexer');
    link.judge = () => 'reset';
    const from = await done();
    await sleep(AWAY_S * 1_000);
    const behind = await pipeline.account();
    expect(behind).toMatchObject({ parked: 0, dead: 0, discarded: 0 });
    // What was under way when the link went may have been taken; nothing else was.
    expect(behind.done).toBeLessThan(from + 200);
    expect(behind.in - behind.done).toBeGreaterThan(1_000);
    expect((await fetch(`${groups.url}/ready`)).status).toBe(503);
    expect(await membersOf('search-indexer')).toEqual(members);

    link.clear();
    const begun = performance.now();
    await eventually(async () => (await done()) >= behind.in, 60_000);
    const recovered = performance.now() - begun;
    await pipeline.stop();
    await pipeline.settle(60_000);
    await eventually(async () => (await lagOf(groups)) === 0, 30_000);
    await eventually(async () => (await fetch(`${groups.url}/ready`)).ok, 15_000);
    const violations = await pipeline.violations(broker);
    expect(violations.slice(0, 20), `${violations.length} violations`).toEqual([]);
    expect(await pipeline.account()).toMatchObject({ parked: 0, dead: 0, discarded: 0 });
    console.info(`away for ${AWAY_S} s: ${behind.in - behind.done} records behind, caught up in ${Math.round(recovered)} ms`);
  });

  it(`G1, G3: a transaction that is open for ${OPEN_S} s holds up nobody, and loses nothing`, async () => {
    const bed = await startBed(seededRandom(SEED + 1));
    const late = randomUUID();
    const open = await appendLate(bed.sql, late, 1, 30);
    const begun = Date.now();
    const writers = bed.startWriters(5, seededRandom(SEED + 2));
    const kafka = createKafka({ brokers: [bed.brokers], clientId: 'colink-test', log });
    const relay = createRelay({ databaseUrl: bed.databaseUrl, sink: kafkaSink(new RecordSender(kafka)), log, onSent: () => {}, pageRows: 20 });
    endings.push(() => relay.stop());
    void relay.run();
    const prompt = randomUUID();
    for (let round = 1; Date.now() - begun < OPEN_S * 1_000; round += 1) {
      await appendRun(bed.sql, prompt, round, round);
      await eventually(() => isRelayed(bed, prompt, round), 15_000);
      await sleep(200);
    }
    expect(await isRelayed(bed, late, 1)).toBe(false);
    await open.commit();
    await appendRun(bed.sql, late, 31, 40);
    await writers.end();
    expect(await bed.verdict()).toMatchObject({ violations: [], repeated: 0 });
  });

  /** By the place that the relay has stored. */
  async function isRelayed({ sql }: RelayBed, key: string, seq: number): Promise<boolean> {
    const rows = await sql<{ done: boolean }[]>`
      SELECT pg_visible_in_snapshot(e.xid, r.base) OR coalesce(pg_visible_in_snapshot(e.xid, r.target) AND e.position <= r.after_position, false) AS done
      FROM event_log e CROSS JOIN relay_states r WHERE e.key = ${key} AND e.channel_seq = ${seq}`;
    return rows[0]?.done ?? false;
  }

  it(`G1, G2, G3: a leader frozen for ${FROZEN_S} s is replaced meanwhile, and what it then says late changes nothing`, async () => {
    const bed = await startBed(seededRandom(SEED + 3));
    const environment = { DATABASE_URL: bed.databaseUrl, KAFKA_BROKERS: bed.brokers };
    const first = await start(environment, 'relay');
    await eventually(() => isLeading(first), 30_000);
    const second = await start(environment, 'relay');
    const writers = bed.startWriters(5, seededRandom(SEED + 4));
    const { promise: isThawed, resolve: thawed } = Promise.withResolvers<void>();
    const { promise: isFrozen, resolve: frozen } = Promise.withResolvers<void>();
    bed.kafka.judge = judgeProduce(async (count): Promise<ProduceFate> => {
      if (count !== 5) return 'pass';
      process.kill(first.pid, 'SIGSTOP');
      frozen();
      await isThawed;
      return 'pass';
    });
    await isFrozen;
    const begun = Date.now();
    await eventually(() => isLeading(second), 20_000);
    console.info(`another led after ${Date.now() - begun} ms`);
    await sleep(Math.max(0, begun + FROZEN_S * 1_000 - Date.now()));
    thawed();
    process.kill(first.pid, 'SIGCONT');
    await eventually(async () => !(await isLeading(first)), 20_000);
    expect(await isLeading(second)).toBe(true);
    await writers.end();
    const { violations, repeated, records } = await bed.verdict();
    expect(violations).toEqual([]);
    expect(records).toBeGreaterThan(50);
    expect(repeated).toBeGreaterThan(0);
  });

  it('a batch that hangs past the deadline of a shutdown is stopped by force: exit code 1 within 25 s, what was left by name, and nothing of it is lost', async () => {
    const database = await testDatabase();
    endings.push(() => database.drop());
    await recordEffects(database.connection.sql);
    const { link, url } = await startLink(database.url);
    const fleet = await start({ DATABASE_URL: url }, 'all');
    const pipeline = await Pipeline.open(database.connection, 3);
    await pipeline.burst(20);
    await pipeline.settle(30_000);
    // Neither end, nor answer: as behind a firewall that has forgotten the connection.
    link.judge = () => 'drop';
    await pipeline.burst(20);
    await sleep(1_500);
    const begun = performance.now();
    expect(await fleet.end('SIGTERM')).toBe(1);
    expect(performance.now() - begun).toBeLessThan(25_000);
    const said = fleet.lines.find((line) => line.includes('by force'));
    expect(JSON.parse(said ?? '{}')).toMatchObject({ level: 50, forced: expect.arrayContaining([expect.stringMatching(/^search-indexer/)]), deadline_seconds: 22 });
    await start({ DATABASE_URL: database.url }, 'all');
    await pipeline.settle(60_000);
    expect(await pipeline.violations(null)).toEqual([]);
  });
});
