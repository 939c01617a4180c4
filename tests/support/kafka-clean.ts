import { pino } from 'pino';
import { afterAll, inject } from 'vitest';
import { createKafka } from '../../consumers/kafka/client.ts';
import { eventually } from './event-log.ts';

/** The run's one broker is left without topics by each file: what a file puts there, such as poison, is read from the start by groups of the next. */
afterAll(async () => {
  const broker = inject('kafkaBrokers');
  if (broker === '') return;
  const admin = createKafka({ brokers: [broker], clientId: 'colink-test', log: pino({ level: 'silent' }) }).admin();
  await admin.connect();
  const left = async (): Promise<string[]> => (await admin.listTopics()).filter((topic) => !topic.startsWith('__'));
  const topics = await left();
  if (topics.length > 0) await admin.deleteTopics({ topics });
  await eventually(async () => (await left()).length === 0, 20_000);
  await admin.disconnect();
}, 30_000);
