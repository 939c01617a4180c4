import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { publishDeadLetters } from './dead-letter-publisher.ts';
import { groupService, retrierService } from './group-runner.ts';
import { KafkaSource } from './kafka-source.ts';
import { createLedger, ledgerGroup } from './ledger.fixture.ts';
import { expectRepairs, poisons } from '../../tests/support/poison.ts';

const broker = inject('kafkaBrokers');
const log = pino({ level: 'silent' });

describe.skipIf(broker === '')('poison on a topic', () => {
  const kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log });
  const sender = new RecordSender(kafka);
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase();
    await createLedger(database.connection.sql);
    await createTopics(kafka, 1);
  });
  afterAll(async () => {
    await sender.close(false);
    await database.drop();
  });

  it('of every kind reaches table and topic, is shown, edited, and redriven to its group once (G2)', async () => {
    const { sql } = database.connection;
    const [group, all] = [ledgerGroup(`poison-${randomUUID()}`), poisons()];
    await eventually(() => sender.send(all.map(({ key, value, headers }) => ({ topic: 'message.events', key, value, headers }))).then(() => true, () => false), 30_000);
    const source = new KafkaSource({ kafka, sql, groupId: group.id, topics: group.topics, log, sessionTimeout: 6_000 });
    const ports = { sql, log, chance: { now: () => new Date(), random: () => 0.5 }, onTaken: () => {} };
    const services = [groupService(group, source, ports), retrierService(group, ports)];
    const running = Promise.all(services.map((service) => service.run()));
    await expectRepairs(database.connection, group.id, all);
    while ((await publishDeadLetters(sql, sender)) > 0);
    expect(await sql`SELECT 1 AS owed FROM dead_letters WHERE published_at IS NULL`).toEqual([]);
    for (const service of services) await service.drain();
    await running;
  });
});
