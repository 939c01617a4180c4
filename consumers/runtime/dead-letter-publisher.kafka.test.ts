import type { KafkaMessage } from 'kafkajs';
import { pino } from 'pino';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { insertDeadLetters } from '../../db/queries/dead-letters.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { publishDeadLetters } from './dead-letter-publisher.ts';
import { storeRecord } from './record.ts';
import { undecodable } from './retry-policy.ts';

const broker = inject('kafkaBrokers');
const OFFSET = '987654321';

describe.skipIf(broker === '')('dead letter publisher', () => {
  const kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log: pino({ level: 'silent' }) });
  const sender = new RecordSender(kafka);
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase();
    await createTopics(kafka, 1);
  });

  afterAll(async () => {
    await sender.close(false);
    await database.drop();
  });

  async function readDeadLetters(count: number): Promise<KafkaMessage[]> {
    const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 });
    const messages: KafkaMessage[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic: 'dlq.message.events', fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        // Other tests' letters lie in the same topic.
        if (String(message.headers?.['dlq.origin_offset']) === OFFSET) messages.push(message);
      },
    });
    await eventually(() => messages.length >= count, 20_000);
    await consumer.disconnect();
    return messages;
  }

  it('sends each owed dead letter with its key, value and headers untouched and the story added', async () => {
    const { sql } = database.connection;
    const [key, value] = [Buffer.from([0, 1, 254, 255]), Buffer.from('{"broken":')];
    const headers = { ce_type: Buffer.from('colink.message.created.v9'), raw: Buffer.from([0, 255]), many: [Buffer.from('a'), Buffer.from([128])] };
    const record = { topic: 'message.events' as const, partition: 5, offset: OFFSET, key, value, headers };
    const at = new Date('2026-11-23T12:00:00.000Z');
    const letter = undecodable('search-indexer', record, { errorClass: 'unknown_version', errorMessage: 'v9' }, at);
    await insertDeadLetters(sql, [letter, { ...letter, record: { ...storeRecord(record), key: null, value: null } }]);

    // A topic just made may have no leader yet; the letters stay owed.
    await eventually(async () => (await publishDeadLetters(sql, sender).catch(() => 0)) === 2);
    expect(await publishDeadLetters(sql, sender)).toBe(0);
    const [sent, bare] = await readDeadLetters(2);
    expect([sent?.key, sent?.value]).toEqual([key, value]);
    expect([bare?.key, bare?.value]).toEqual([null, null]);
    expect(sent?.headers).toMatchObject(headers);
    const told = Object.fromEntries(Object.entries(sent?.headers ?? {}).filter(([name]) => name.startsWith('dlq.') && name !== 'dlq.id').map(([name, text]) => [name, String(text)]));
    expect(told).toEqual({
      'dlq.stage': 'consumer', 'dlq.group': 'search-indexer', 'dlq.origin_topic': 'message.events', 'dlq.origin_partition': '5', 'dlq.origin_offset': OFFSET,
      'dlq.error_class': 'unknown_version', 'dlq.error_message': 'v9', 'dlq.attempts': '1',
      'dlq.first_failed_at': expect.stringContaining('2026-11-23T12:00:00'), 'dlq.last_failed_at': expect.stringContaining('2026-11-23T12:00:00'),
    });
  });
});
