import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import { ALL_KEYS, type LogRow } from '../../db/queries/event-log.ts';
import { joinRelay, layOutRelay } from '../../db/queries/relay-layout.ts';
import { saveRelayCursor, takeOverRelay } from '../../db/queries/relay.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { allRelayed, readLogRows, startWriters } from '../../tests/support/outbox-writers.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { checkTopic } from '../../tests/support/topic-checker.ts';
import type { TopicRecord } from '../../tests/support/topic.ts';
import { connect, type Sql } from '../../db/client.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import type { Service } from '../runtime/service.ts';
import { createShardedRelay, shareOf } from './sharded-relay.ts';

const log = pino({ level: 'silent' });
const SEED = seedOfRun();

describe(`shards of the relay (seed ${SEED})`, () => {
  let database: TestDatabase;
  const topic: TopicRecord[] = [];
  const relays = new Set<Service>();

  beforeEach(async () => {
    database = await testDatabase();
    topic.length = 0;
  });

  afterEach(async () => {
    await Promise.all([...relays].map((relay) => relay.stop()));
    relays.clear();
    await database.drop();
  });

  /** A process that relays, as far as the others can see. */
  function start(shards: number): { relay: Service; leads(): number } {
    let leads = 0;
    const send = async (rows: readonly LogRow[]): Promise<void> => void topic.push(...rows.map(({ position, key, data }) => ({ position, key, value: data })));
    const openSink = () => ({ send, close: async () => {} });
    const onLeading = (isLeading: boolean): void => void (leads += isLeading ? 1 : -1);
    const relay = createShardedRelay({ databaseUrl: database.url, shards, openSink, log, onSent: () => {}, onLeading, pageRows: 20 });
    relays.add(relay);
    void relay.run();
    return { relay, leads: () => leads };
  }

  it('G1, G2, G3: the number of shards and of processes changes under load, and each key stays whole and in order', async () => {
    const { sql } = database.connection;
    const writing = connect(database.url, { max: 10, applicationName: 'colink-test' });
    const writers = startWriters(writing.sql, 8, seededRandom(SEED));
    const first = start(1);
    await eventually(() => first.leads() === 1);
    const second = start(4);
    await eventually(() => first.leads() === 2 && second.leads() === 2);
    const third = start(3);
    await eventually(() => [first, second, third].every(({ leads }) => leads() === 1));
    await first.relay.drain();
    await second.relay.stop();
    await eventually(() => third.leads() === 3);
    start(1);
    await eventually(() => third.leads() === 1);
    await writers.end();
    await writing.close();
    await allRelayed(sql, 10_000);
    const verdict = checkTopic(await readLogRows(sql), topic);
    expect(verdict.violations).toEqual([]);
    expect(verdict.records).toBeGreaterThan(200);
  });

  it('lays one shard out in several where it stands, without sending anything again', async () => {
    const { sql } = database.connection;
    const writing = connect(database.url, { max: 10, applicationName: 'colink-test' });
    const writers = startWriters(writing.sql, 8, seededRandom(SEED + 1));
    const { relay } = start(1);
    await eventually(() => topic.length > 100);
    await relay.drain();
    const second = start(5);
    await eventually(() => second.leads() === 5);
    await writers.end();
    await writing.close();
    await allRelayed(sql, 10_000);
    expect(checkTopic(await readLogRows(sql), topic)).toMatchObject({ violations: [], repeated: 0 });
  });

  it('fences off every leader of an older layout, and lets none begin', async () => {
    const { sql } = database.connection;
    const taken = await takeOverRelay(sql, { shard: 0, shards: 1 });
    if (taken === null) throw new Error('nobody else is there');
    expect(await layOutRelay(sql, 2)).toBe(true);
    expect(await layOutRelay(sql, 2)).toBe(false);
    expect(await saveRelayCursor(sql, taken.term, taken.cursor)).toBe(false);
    expect(await takeOverRelay(sql, { shard: 0, shards: 1 })).toBeNull();
    expect(await takeOverRelay(sql, { shard: 1, shards: 2 })).not.toBeNull();
  });

  it('fences off a leader whose shard another takes over, also where its own session lives, and every session but its own', async () => {
    const { sql } = database.connection;
    const session = connect(database.url, { max: 1, applicationName: 'colink-test' });
    const first = await takeOverRelay(session.sql, ALL_KEYS);
    const second = await takeOverRelay(session.sql, ALL_KEYS);
    if (first === null || second === null) throw new Error('nobody else is there');
    const stores = ({ term, cursor }: typeof first, by: Sql): Promise<boolean> => saveRelayCursor(by, term, cursor);
    expect([await stores(first, session.sql), await stores(second, sql), await stores(second, session.sql)]).toEqual([false, false, true]);
    await session.close();
  });

  it('counts a process once, however often it asks, and no longer than its session lives', async () => {
    const [one, two] = [connect(database.url, { max: 1, applicationName: 'colink-test' }), connect(database.url, { max: 1, applicationName: 'colink-test' })];
    expect(await joinRelay(one.sql)).toEqual({ rank: 0, processes: 1, shards: 1 });
    expect(await joinRelay(one.sql)).toEqual({ rank: 0, processes: 1, shards: 1 });
    expect(await joinRelay(two.sql)).toEqual({ rank: 1, processes: 2, shards: 1 });
    await one.close();
    await eventually(async () => (await joinRelay(two.sql))?.processes === 1);
    expect(await joinRelay(two.sql)).toEqual({ rank: 0, processes: 1, shards: 1 });
    await two.close();
  });
});

describe('a share of the shards', () => {
  it('is fair, and together all are one process\'s each', () => {
    for (let shards = 1; shards <= 16; shards += 1) {
      for (let processes = 1; processes <= 20; processes += 1) {
        const shares = Array.from({ length: processes }, (_, rank) => shareOf({ rank, processes, shards }));
        expect(shares.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: shards }, (_, shard) => shard));
        const sizes = shares.map((share) => share.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }
  });
});
