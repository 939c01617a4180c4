import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { pino } from 'pino';
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { createKafka, createTopics } from './client.ts';
import { type OutgoingRecord, RecordSender } from './record-sender.ts';

const broker = inject('kafkaBrokers');

describe.skipIf(broker === '')('record sender', () => {
  const kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log: pino({ level: 'silent' }) });
  const senders: RecordSender[] = [];

  beforeAll(() => createTopics(kafka, 1));
  afterEach(() => Promise.all(senders.splice(0).map((sender) => sender.close(false))));

  function open(over: Kafka = kafka): RecordSender {
    const sender = new RecordSender(over);
    senders.push(sender);
    return sender;
  }

  /** Records of the whole topic, by its ends. */
  async function size(topic: string): Promise<number> {
    const admin = kafka.admin();
    await admin.connect();
    const offsets = await admin.fetchTopicOffsets(topic);
    await admin.disconnect();
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  }

  const record = (topic: string, bytes: number): OutgoingRecord => ({ topic, key: randomUUID(), value: 'x'.repeat(bytes), headers: { n: '1' } });

  it('creates each topic with the partitions the contract names, and its dead letter topic', async () => {
    const admin = kafka.admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: ['message.events', 'user.events', 'dlq.message.events'] });
    await admin.disconnect();
    expect(Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length]))).toEqual({
      'message.events': 12, 'user.events': 3, 'dlq.message.events': 1,
    });
  });

  it('sends more than a broker takes at once, to several topics, even when all fall into one partition', async () => {
    const before = [await size('channel.events'), await size('file.events')];
    const key = randomUUID();
    const records = Array.from({ length: 60 }, () => ({ ...record('channel.events', 40_000), key }));
    await open().send([...records, record('file.events', 10)]);
    expect([await size('channel.events'), await size('file.events')]).toEqual([(before[0] ?? 0) + 60, (before[1] ?? 0) + 1]);
  });

  it('tells of a record that did not arrive, and sends the next with a new producer', async () => {
    const before = await size('presence.events');
    const counted = createKafka({ brokers: [broker], clientId: 'colink-test', log: pino({ level: 'silent' }) });
    const make = counted.producer.bind(counted);
    let producers = 0;
    counted.producer = (config) => ((producers += 1), make(config));
    const sender = open(counted);
    await sender.send([record('presence.events', 10)]);
    await expect(sender.send([record('presence.events', 2_000_000)])).rejects.toThrow(/larger|too large/i);
    expect(producers).toBe(1);
    await sender.send([record('presence.events', 10)]);
    expect(await size('presence.events')).toBe(before + 2);
    expect(producers).toBe(2);
  });

  it('refuses a topic there is not, instead of making it', async () => {
    await expect(open().send([record('no.such.events', 10)])).rejects.toThrow(/topic/i);
  });
});
