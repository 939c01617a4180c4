import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, expect, inject, test } from 'vitest';
import { startKafka, type KafkaBroker } from './broker.ts';

const dataDir = await mkdtemp(join(tmpdir(), 'colink-broker-'));
let broker: KafkaBroker | undefined;

afterAll(async () => {
  await broker?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const client = (brokers: string): Kafka => new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });

async function produce(brokers: string): Promise<void> {
  const admin = client(brokers).admin();
  await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = client(brokers).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({ topic: 'kept', acks: -1, messages: [{ key: 'k', value: 'v' }] });
  await producer.disconnect();
}

async function endOffset(brokers: string): Promise<string | undefined> {
  const admin = client(brokers).admin();
  const offsets = await admin.fetchTopicOffsets('kept');
  await admin.disconnect();
  return offsets[0]?.high;
}

test.skipIf(inject('kafkaBrokers') === '')('G1: what a broker acknowledged outlives its kill -9, on the same port', { timeout: 30_000 }, async () => {
  broker = await startKafka({ dataDir });
  const { port, brokers } = broker;
  await produce(brokers);

  process.kill(broker.pid, 'SIGKILL');
  expect(await broker.exited).toEqual({ code: null, signal: 'SIGKILL' });

  broker = await startKafka({ dataDir, port });
  expect(broker.brokers).toBe(brokers);
  expect(await endOffset(brokers)).toBe('1');
});
