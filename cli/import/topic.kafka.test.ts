import { Kafka, logLevel, type Message } from 'kafkajs';
import { beforeAll, expect, inject, test } from 'vitest';
import { HEADERS, TOPICS } from '../../protocol/topics.ts';
import { readTopic, type TopicRecord } from './topic.ts';

const broker = inject('kafkaBrokers');
const [channelId, otherId] = [crypto.randomUUID(), crypto.randomUUID()];
const RECORDS = 2_500;

const record = (key: string, seq: number): Message => ({
  key,
  value: JSON.stringify({ seq }),
  headers: { [HEADERS.position]: String(seq * 10), [HEADERS.channelSeq]: String(seq) },
});

/** Two channels' records, taking turns; the first hundred of each once more, as a relay sends them after a crash. */
beforeAll(async () => {
  if (broker === '') return;
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'message.events', numPartitions: TOPICS['message.events'].partitions }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const seqs = [...Array.from({ length: 100 }, (_, n) => n + 1), ...Array.from({ length: RECORDS }, (_, n) => n + 1)];
  await producer.send({ topic: 'message.events', acks: -1, messages: seqs.flatMap((seq) => [record(otherId, seq), record(channelId, seq)]) });
  await producer.disconnect();
}, 30_000);

test.skipIf(broker === '')("reads a channel's records from the beginning to the present end, in order, repetitions too", async () => {
  const records: TopicRecord[] = [];
  await readTopic([broker], channelId, async (one) => void records.push(one));
  expect(records).toHaveLength(RECORDS + 100);
  expect(records.slice(100).map(({ channel_seq }) => channel_seq)).toEqual(Array.from({ length: RECORDS }, (_, n) => n + 1));
  expect(records.at(-1)).toEqual({ position: RECORDS * 10, channel_seq: RECORDS, data: { seq: RECORDS } });
});

test.skipIf(broker === '')('a channel without records is read as nothing', async () => {
  const records: TopicRecord[] = [];
  await readTopic([broker], crypto.randomUUID(), async (one) => void records.push(one));
  expect(records).toEqual([]);
});

test.skipIf(broker === '')('what fails at a record ends the reading', async () => {
  await expect(readTopic([broker], channelId, () => Promise.reject(new Error('no space')))).rejects.toThrow('no space');
});
