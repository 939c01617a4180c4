import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import type { Sql } from '../../db/client.ts';
import { checkEffects } from '../../tests/support/effect-checker.ts';
import { appendRun, appendToLog, created, eventually } from '../../tests/support/event-log.ts';
import { readHistory, recordCursors } from '../../tests/support/ledger-history.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { kafkaSink } from '../outbox-relay/kafka-sink.ts';
import { createRelay } from '../outbox-relay/relay.ts';
import { InfrastructureError } from './classify.ts';
import { publishDeadLetters } from './dead-letter-publisher.ts';
import { groupService } from './group-runner.ts';
import { KafkaSource } from './kafka-source.ts';
import { createLedger, ledgerGroup, type LedgerFaults } from './ledger.fixture.ts';
import type { Service } from './service.ts';

const broker = inject('kafkaBrokers');
const log = pino({ level: 'silent' });
const seed = seedOfRun();
const SESSION = 6_000;
const STORM_SECONDS = 20;
const DEAD_LETTERS = 'dlq.message.events';

describe.skipIf(broker === '')(`a group on Kafka under faults (seed ${seed})`, { timeout: 120_000 }, () => {
  const random = seededRandom(seed);
  const running = new Set<Service>();
  let database: TestDatabase;
  let sql: Sql;
  let kafka: Kafka;
  let relay: Service;

  beforeAll(async () => {
    database = await testDatabase();
    sql = database.connection.sql;
    await createLedger(sql);
    await recordCursors(sql);
    kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log });
    await createTopics(kafka, 1);
    relay = createRelay({ databaseUrl: database.url, sink: kafkaSink(new RecordSender(kafka)), log, onSent: () => {} });
    void relay.run();
  }, 60_000);

  afterEach(async () => {
    await Promise.all([...running].map((service) => service.stop()));
    running.clear();
  });

  afterAll(async () => {
    await relay.stop();
    await database.drop();
  });

  /** One more member of a group. */
  function join(groupId: string, faults?: LedgerFaults): Service {
    const group = ledgerGroup(groupId, faults);
    const source = new KafkaSource({ kafka, sql, groupId, topics: group.topics, log, batchRecords: 50, sessionTimeout: SESSION });
    const service = groupService(group, source, { sql, log, chance: { now: () => new Date(), random }, onTaken: () => {} });
    running.add(service);
    void service.run();
    return service;
  }

  /** Writes to keys of its own until ended. */
  function startLoad() {
    const keys = Array.from({ length: 8 }, () => randomUUID());
    const ending = new AbortController();
    const writing = Promise.all(
      keys.map(async (key) => {
        for (let seq = 1; !ending.signal.aborted; await sleep(50)) {
          const rows = 1 + integer(random, 8);
          await appendRun(sql, key, seq, seq + rows - 1);
          seq += rows;
        }
      }),
    );
    return { keys, end: () => (ending.abort(), writing) };
  }

  /** When all is taken that there is: what the checker says of it. */
  async function verdict(groupId: string, keys: readonly string[]) {
    let history = await readHistory(sql, groupId, keys);
    await eventually(async () => {
      history = await readHistory(sql, groupId, keys);
      return history.effects.length + history.dead.length >= history.log.length;
    }, 60_000, () => ({ log: history.log.length, effects: history.effects.length, dead: history.dead.length }));
    return { violations: checkEffects(history).slice(0, 10), taken: history.effects.length, dead: history.dead.length, parked: history.parked.length };
  }

  it(`G1, G2, G3: members that join and leave every second for ${STORM_SECONDS} s under load`, async () => {
    const groupId = `storm-${randomUUID()}`;
    const load = startLoad();
    join(groupId);
    for (let second = 0; second < STORM_SECONDS; second += 1) {
      await sleep(1_000);
      if (running.size < 2 || random() < 0.5) {
        join(groupId);
        continue;
      }
      const leaving = pick(random, [...running]);
      running.delete(leaving);
      void (random() < 0.5 ? leaving.drain() : leaving.stop());
    }
    await load.end();
    join(groupId);
    const seen = await verdict(groupId, load.keys);
    expect(seen).toMatchObject({ violations: [], dead: 0, parked: 0 });
    expect(seen.taken).toBeGreaterThan(STORM_SECONDS * 8);
  });

  it('G1: what a group writes to is away for longer than a session: it waits as a member, and nothing is parked or a dead letter', async () => {
    const groupId = `away-${randomUUID()}`;
    let isAway = false;
    const refuse = (): void => {
      if (isAway) throw new InfrastructureError('the sink is away');
    };
    join(groupId, { before: refuse });
    const load = startLoad();
    await eventually(async () => (await readHistory(sql, groupId, load.keys)).effects.length > 0, 30_000);
    isAway = true;
    const members = await membersOf(groupId);
    await sleep(SESSION * 1.5);
    expect(await membersOf(groupId)).toEqual(members);
    expect(members).toHaveLength(1);
    isAway = false;
    await load.end();
    expect(await verdict(groupId, load.keys)).toMatchObject({ violations: [], dead: 0, parked: 0 });
  });

  async function membersOf(groupId: string): Promise<string[]> {
    const admin = kafka.admin();
    await admin.connect();
    const { groups } = await admin.describeGroups([groupId]);
    await admin.disconnect();
    return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId));
  }

  it('G1: dead letters stay owed while their topic is away, hold up nobody, and go out when it is back', async () => {
    const groupId = `owed-${randomUUID()}`;
    const admin = kafka.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [DEAD_LETTERS] });
    join(groupId);
    const key = randomUUID();
    await appendToLog(sql, [{ key, event: created(1) }, { key, event: created(2), type: 'colink.message.created.v9' }, { key, event: created(3) }]);
    expect(await verdict(groupId, [key])).toMatchObject({ violations: [], taken: 2, dead: 1 });

    const sender = new RecordSender(kafka);
    const owed = async () => {
      const [row] = await sql<[{ owed: number }]>`SELECT count(*)::integer AS owed FROM dead_letters d WHERE d.group_id = ${groupId} AND d.record_key = convert_to(${key}, 'UTF8') AND d.published_at IS NULL`;
      return row.owed;
    };
    await expect(publishDeadLetters(sql, sender)).rejects.toThrow(/topic/i);
    expect(await owed()).toBe(1);
    await eventually(() => createTopics(kafka, 1).then(() => true, () => false), 30_000);
    await eventually(async () => (await publishDeadLetters(sql, sender).catch(() => 0), (await owed()) === 0), 30_000);
    const [end] = await admin.fetchTopicOffsets(DEAD_LETTERS);
    expect(Number(end?.high)).toBeGreaterThan(0);
    await sender.close(false);
    await admin.disconnect();
  });
});
