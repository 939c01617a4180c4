import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import type { LogRow } from '../../db/queries/event-log.ts';
import { compareSnapshots, readOldestUnrelayed } from '../../db/queries/relay-layout.ts';
import { appendLate, appendRun, eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import type { Service } from '../runtime/service.ts';
import { createRelay, type RecordSink } from './relay.ts';

const log = pino({ level: 'silent' });
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

/** A topic in memory. `fault` may hold a page back or refuse it. */
class Topic implements RecordSink {
  readonly rows: LogRow[] = [];
  fault: ((rows: readonly LogRow[]) => Promise<void>) | null = null;

  async send(rows: readonly LogRow[]): Promise<void> {
    await this.fault?.(rows);
    this.rows.push(...rows);
  }

  async close(): Promise<void> {}

  seqs(key: string): number[] {
    return this.rows.filter((row) => row.key === key).map(({ channelSeq }) => Number(channelSeq));
  }

  /** Without what a consumer drops as a repetition. */
  once(key: string): number[] {
    return this.seqs(key).filter((seq, index, all) => all.slice(0, index).every((earlier) => earlier < seq));
  }
}

describe('relay on Postgres', () => {
  let database: TestDatabase;
  let sql: Sql;
  const relays = new Set<Service>();

  beforeEach(async () => {
    database = await testDatabase();
    sql = database.connection.sql;
  });

  afterEach(async () => {
    await Promise.all([...relays].map((relay) => relay.stop()));
    relays.clear();
    await database.drop();
  });

  function start(sink: Topic, pageRows = 10) {
    const led: boolean[] = [];
    const relay = createRelay({ databaseUrl: database.url, sink, log, onSent: () => {}, onLeading: (isLeading) => led.push(isLeading), pageRows });
    relays.add(relay);
    void relay.run();
    return { relay, isLeading: () => led.at(-1) === true };
  }

  async function placeOf(): Promise<string> {
    const [state] = await sql<[{ base: string }]>`SELECT r.base::text AS base FROM relay_states r`;
    return state.base;
  }

  it('G1, G3: carries interleaved, late and rolled back transactions, each key in order and once', async () => {
    const topic = new Topic();
    const [a, b, late, never] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    start(topic);
    const open = await appendLate(sql, late, 1, 15);
    await Promise.all([appendRun(sql, a, 1, 30), appendRun(sql, b, 1, 30)]);
    await expect(sql.begin(async (tx) => {
      await appendRun(tx, never, 1, 5);
      throw new Error('roll back');
    })).rejects.toThrow('roll back');
    await appendRun(sql, a, 31, 60);
    await eventually(() => topic.seqs(a).length >= 60 && topic.seqs(b).length >= 30);
    expect(topic.seqs(late)).toEqual([]);
    await open.commit();
    await appendRun(sql, late, 16, 20);
    await eventually(() => topic.seqs(late).length >= 20);
    expect([topic.seqs(a), topic.seqs(b), topic.seqs(late), topic.seqs(never)]).toEqual([upTo(60), upTo(30), upTo(20), []]);
  });

  it('G1: a new relay goes on inside the window where the last one stopped', async () => {
    const first = new Topic();
    const key = randomUUID();
    await appendRun(sql, key, 1, 35);
    first.fault = async () => {
      if (first.rows.length >= 20) throw new Error('the broker is away');
    };
    const { relay } = start(first);
    await eventually(() => first.rows.length === 20);
    await relay.stop();
    // Commits behind the window with positions above it, and below it in another transaction's.
    await appendRun(sql, key, 36, 45);
    const second = new Topic();
    start(second);
    await eventually(() => second.seqs(key).includes(45));
    expect(first.seqs(key)).toEqual(upTo(20));
    expect(second.seqs(key)).toEqual(upTo(45).slice(20));
  });

  it('repeats a page whose acknowledgement is in doubt, and loses none', async () => {
    const topic = new Topic();
    const key = randomUUID();
    let doubts = 3;
    topic.fault = async (rows) => {
      if (doubts-- <= 0) return;
      topic.rows.push(...rows);
      throw new Error('no acknowledgement');
    };
    start(topic);
    await appendRun(sql, key, 1, 25);
    await eventually(() => topic.seqs(key).includes(25));
    expect(topic.seqs(key).length).toBeGreaterThan(25);
    expect(topic.once(key)).toEqual(upTo(25));
  });

  it('has one leader, and another takes over when its session dies', async () => {
    const [one, two] = [new Topic(), new Topic()];
    const key = randomUUID();
    const first = start(one);
    await eventually(first.isLeading);
    const second = start(two);
    await appendRun(sql, key, 1, 10);
    await eventually(() => one.rows.length === 10);
    expect(two.rows).toEqual([]);
    expect(second.isLeading()).toBe(false);
    await first.relay.drain();
    await appendRun(sql, key, 11, 20);
    await eventually(() => two.rows.length === 10);
    expect(two.seqs(key)).toEqual(upTo(20).slice(10));
  });

  it('sends nothing when it is told to end while it begins to lead', async () => {
    const topic = new Topic();
    await appendRun(sql, randomUUID(), 1, 10);
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: isLocked, resolve: locked } = Promise.withResolvers<void>();
    const holding = sql.begin(async (tx) => {
      await tx`LOCK TABLE relay_states IN ACCESS EXCLUSIVE MODE`;
      locked();
      await mayGoOn;
    });
    await isLocked;
    const { relay } = start(topic);
    await eventually(async () => (await sql`SELECT FROM pg_locks l WHERE NOT l.granted AND l.relation = 'relay_states'::regclass`).length > 0);
    const drained = relay.drain();
    goOn();
    await Promise.all([holding, drained]);
    expect(topic.rows).toEqual([]);
  });

  it('G2, G3: a relay that lost its lock while it was sending cannot move the place, and the topic stays in order', async () => {
    const topic = new Topic();
    const key = randomUUID();
    await appendRun(sql, key, 1, 20);
    const { promise: isHeld, resolve: held } = Promise.withResolvers<void>();
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const slow = new Topic();
    slow.fault = async (rows) => {
      if (rows[0]?.channelSeq !== '11') return;
      held();
      await mayGoOn;
      topic.rows.push(...rows);
    };
    slow.rows.push = (...rows) => topic.rows.push(...rows);
    const first = start(slow);
    await isHeld;
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'colink-relay@%' AND datname = current_database()`;
    start(topic);
    await eventually(() => topic.seqs(key).includes(20));
    await appendRun(sql, key, 21, 30);
    await eventually(() => topic.seqs(key).includes(30));
    await eventually(async () => (await readOldestUnrelayed(sql)) === null);
    const stood = await placeOf();
    goOn();
    await eventually(() => !first.isLeading());
    expect(compareSnapshots(await placeOf(), stood)).toBeGreaterThanOrEqual(0);
    await appendRun(sql, key, 31, 40);
    await eventually(() => topic.seqs(key).includes(40));
    expect(topic.once(key)).toEqual(upTo(40));
  });
});
