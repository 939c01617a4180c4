import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type KafkaBroker, startKafka } from '../../dev/kafka/broker.ts';
import { appendRun, eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { readTopic } from '../../tests/support/topic.ts';
import { takenOver } from '../../tests/support/fold.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { groupService } from '../runtime/group-runner.ts';
import { KafkaSource } from '../runtime/kafka-source.ts';
import { createLedger, ledgerGroup, readLedger } from '../runtime/ledger.fixture.ts';
import { kafkaSink } from './kafka-sink.ts';
import { createRelay } from './relay.ts';

const log = pino({ level: 'silent' });
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe.skipIf(inject('kafkaBrokers') === '')('when the broker dies', () => {
  let database: TestDatabase;
  let broker: KafkaBroker | undefined;
  let dataDir: string;

  beforeAll(async () => {
    database = await testDatabase();
    await createLedger(database.connection.sql);
    dataDir = await mkdtemp(join(tmpdir(), 'colink-broker-death-'));
    broker = await startKafka({ dataDir });
  }, 60_000);

  afterAll(async () => {
    await broker?.stop();
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  }, 30_000);

  it('G1, G2, G3: relay and groups wait, go on with the next broker, and every record arrives once and in order', async () => {
    const { sql } = database.connection;
    if (broker === undefined) throw new Error('no broker');
    const { brokers, pid, port } = broker;
    const kafka = createKafka({ brokers: [brokers], clientId: 'colink-test', log });
    await createTopics(kafka, 1);
    const relay = createRelay({ databaseUrl: database.url, sink: kafkaSink(new RecordSender(kafka)), log, onSent: () => {}, pageRows: 20 });
    const source = new KafkaSource({ kafka, sql, groupId: 'ledger', topics: ['message.events'], log, batchRecords: 9, sessionTimeout: 6_000 });
    const group = groupService(ledgerGroup('ledger'), source, { sql, log, chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
    const running = Promise.all([relay.run(), group.run()]);

    const keys = [randomUUID(), randomUUID(), randomUUID()];
    for (const key of keys) await appendRun(sql, key, 1, 200);
    await eventually(async () => [...(await readLedger(sql, 'ledger')).values()].flat().length > 50, 20_000);
    process.kill(pid, 'SIGKILL');
    for (const key of keys) await appendRun(sql, key, 201, 300);
    broker = await startKafka({ dataDir, port });
    for (const key of keys) await appendRun(sql, key, 301, 400);

    await eventually(async () => [...(await readLedger(sql, 'ledger')).values()].flat().length >= 1_200, 40_000);
    const ledger = await readLedger(sql, 'ledger');
    for (const key of keys) {
      expect(ledger.get(key)).toEqual(upTo(400));
      expect(takenOver(await readTopic(brokers, key)).map(({ seq }) => seq)).toEqual(upTo(400));
    }
    await Promise.all([relay.drain(), group.drain()]);
    await running;
  });
});
