import { randomUUID } from 'node:crypto';
import type { Admin, Kafka } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readCursors } from '../../db/queries/consumer-offsets.ts';
import { appendRun, eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { readTopic } from '../../tests/support/topic.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { kafkaSink } from '../outbox-relay/kafka-sink.ts';
import { createRelay } from '../outbox-relay/relay.ts';
import { groupService } from './group-runner.ts';
import { offsetOf } from './kafka-cursor.ts';
import { KafkaSource } from './kafka-source.ts';
import { createLedger, ledgerGroup, readLedger } from './ledger.fixture.ts';
import type { Service } from './service.ts';
import { totalLag } from './stream-lag.ts';

const broker = inject('kafkaBrokers');
const log = pino({ level: 'silent' });
const TOPIC = 'message.events';
const PATIENCE = 40_000;
const TEST_MS = 120_000;
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe.skipIf(broker === '')('a topic that is deleted and made anew', { timeout: TEST_MS }, () => {
  const groupId = `anew-${randomUUID()}`;
  const key = randomUUID();
  let database: TestDatabase;
  let kafka: Kafka;
  let admin: Admin;
  let relay: Service;
  let last = 0;
  let startedOver = 0;

  beforeAll(async () => {
    database = await testDatabase();
    await createLedger(database.connection.sql);
    kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log });
    admin = kafka.admin();
    await admin.connect();
    await makeAnew();
    relay = createRelay({ databaseUrl: database.url, sink: kafkaSink(new RecordSender(kafka)), log, onSent: () => {}, pageRows: 50 });
    void relay.run();
  }, 60_000);

  afterAll(async () => {
    await relay.stop();
    await admin.disconnect();
    await database.drop();
  });

  async function makeAnew(): Promise<void> {
    await createTopics(kafka, 1);
    await admin.deleteTopics({ topics: [TOPIC] });
    await eventually(() => createTopics(kafka, 1).then(() => true, () => false), PATIENCE);
  }

  /** As another process would have it. */
  function start(): { source: KafkaSource; service: Service } {
    const { sql } = database.connection;
    const group = ledgerGroup(groupId);
    const onStartOver = (): void => void (startedOver += 1);
    const source = new KafkaSource({ kafka, sql, groupId, topics: group.topics, log, batchRecords: 7, sessionTimeout: 6_000, onStartOver });
    const service = groupService(group, source, { sql, log, chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
    void service.run();
    return { source, service };
  }

  async function append(count: number): Promise<void> {
    await appendRun(database.connection.sql, key, last + 1, last + count);
    last += count;
  }

  const relayed = (count: number) => eventually(async () => (await readTopic(broker, key)).length >= count, PATIENCE);

  /** All there is, once and in order, and the cursor where the new topic ends. */
  async function expectAll({ source }: { source: KafkaSource }): Promise<void> {
    const { sql } = database.connection;
    const ledger = async () => (await readLedger(sql, groupId)).get(key) ?? [];
    await eventually(async () => (await ledger()).length >= last && totalLag(await source.lag()) === 0, PATIENCE, () => ({ last, startedOver }));
    expect(await ledger()).toEqual(upTo(last));
    const ends = (await admin.fetchTopicOffsets(TOPIC)).filter(({ high }) => high !== '0');
    const cursors = await readCursors(sql, groupId, TOPIC);
    expect(ends.map(({ partition }) => offsetOf(cursors.get(partition) ?? null))).toEqual(ends.map(({ high }) => BigInt(high)));
  }

  it('G1, G2, G3: a group at work goes on with the new one, though its cursor lies beyond', async () => {
    const running = start();
    await append(60);
    await expectAll(running);
    expect(startedOver).toBe(0);
    await makeAnew();
    await append(10);
    await expectAll(running);
    expect(startedOver).toBeGreaterThan(0);
    await running.service.drain();
  });

  it('G1: skips nothing of a new one that has grown past the cursor while the group was away', async () => {
    startedOver = 0;
    await makeAnew();
    await append(150);
    await relayed(150);
    const running = start();
    await expectAll(running);
    expect(startedOver).toBe(1);
    await running.service.drain();
  });

  it('G1, G3: takes from the event log what the old one held and the group had not taken', async () => {
    startedOver = 0;
    await append(80);
    await relayed(230);
    await makeAnew();
    await append(20);
    await relayed(20);
    const running = start();
    await expectAll(running);
    expect(startedOver).toBe(1);
    await running.service.drain();
  });

  it('G2: knows a topic again that stayed as it is', async () => {
    startedOver = 0;
    for (const round of [1, 2, 3]) {
      const running = start();
      await append(round * 5);
      await expectAll(running);
      await (round === 2 ? running.service.stop() : running.service.drain());
    }
    expect(startedOver).toBe(0);
  });
});
