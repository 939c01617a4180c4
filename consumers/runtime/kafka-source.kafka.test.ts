import type { Kafka } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, inject } from 'vitest';
import { appendLate, appendRun, eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { kafkaSink } from '../outbox-relay/kafka-sink.ts';
import { createRelay } from '../outbox-relay/relay.ts';
import { describeEventSource, type SourceHarness } from './event-source.contract.ts';
import { KafkaSource } from './kafka-source.ts';
import { createLedger } from './ledger.fixture.ts';
import type { Service } from './service.ts';

const log = pino({ level: 'silent' });
const broker = inject('kafkaBrokers');

describe.skipIf(broker === '')('on a broker', () => {
  let database: TestDatabase;
  let kafka: Kafka;
  let relay: Service;

  beforeAll(async () => {
    database = await testDatabase();
    await createLedger(database.connection.sql);
    kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log });
    await createTopics(kafka, 1);
    relay = createRelay({ databaseUrl: database.url, sink: kafkaSink(new RecordSender(kafka)), log, onSent: () => {}, pageRows: 50 });
    void relay.run();
  });

  afterAll(async () => {
    await relay.drain();
    await database.drop();
  });

  function harness(): SourceHarness {
    const { sql } = database.connection;
    return {
      sql,
      createSource: ({ id, topics }) => new KafkaSource({ kafka, sql, groupId: id, topics, log, batchRecords: 7, sessionTimeout: 6_000 }),
      append: appendRun,
      appendLate: (key, from, to) => appendLate(sql, key, from, to),
      redeliver: async () => {
        await sql`DELETE FROM relay_states`;
      },
      eventually: (isTrue, describe) => eventually(isTrue, 30_000, describe),
    };
  }

  describeEventSource('Kafka', harness);
});
