import type { IHeaders, Kafka, KafkaMessage, Message, Producer } from 'kafkajs';
import { pino } from 'pino';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { countParkedKeys } from '../../db/queries/parking.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { created, eventually } from '../../tests/support/event-log.ts';
import { beginAtEnd } from '../../tests/support/kafka-group.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import type { Taken } from './batch.ts';
import { publishDeadLetters } from './dead-letter-publisher.ts';
import type { Consumed } from './group.ts';
import { groupService } from './group-runner.ts';
import { KafkaSource } from './kafka-source.ts';
import { createLedger, ledgerGroup, readLedger } from './ledger.fixture.ts';
import type { Service } from './service.ts';
import { totalLag } from './stream-lag.ts';

const broker = inject('kafkaBrokers');
const log = pino({ level: 'silent' });
const TOPIC = 'message.events';
const PARTITION = 7;
/** Milliseconds a poison record may delay the records of other keys. */
const MOST_DELAY = 1_000;

const [BAD, GOOD] = [randomUUID(), randomUUID()];
let position = 0;
let seq = 0;

function message(key: string, change: Partial<Message> = {}): Message {
  position += 1;
  seq += 1;
  const headers = { ce_id: randomUUID(), ce_type: 'colink.message.created.v1', log_position: String(position), raw: Buffer.from([0, 255]) };
  return { key, value: JSON.stringify(created(seq)), headers, ...change };
}

const bad = (change: Partial<Message>): Message => message(BAD, change);
const badly = (headers: IHeaders): Message => {
  const good = message(BAD);
  return { ...good, headers: { ...good.headers, ...headers } };
};
const saying = (text: string): Message => bad({ value: JSON.stringify(created(seq + 1, text)) });

/** Poison of every kind, with the class under which it must become a dead letter. */
const POISONS: readonly [string, string, () => Message][] = [
  ['bad JSON', 'bad_json', () => bad({ value: '{"type":"message.created",' })],
  ['bytes that are no UTF-8', 'bad_json', () => bad({ value: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]) })],
  ['a bare NUL byte in the text', 'bad_json', () => bad({ value: JSON.stringify(created(seq + 1, 'a#b')).replace('#', '\0') })],
  ['a NUL in the text', 'bad_shape', () => saying('a\0b')],
  ['a value of 1 MB', 'bad_shape', () => saying('x'.repeat(1_000_000))],
  ['an empty value', 'bad_json', () => bad({ value: '' })],
  ['a NULL value', 'no_value', () => bad({ value: null })],
  ['a major version to come', 'unknown_version', () => badly({ ce_type: 'colink.message.created.v2' })],
  ['a type of another topic', 'wrong_topic', () => badly({ ce_type: 'colink.user.updated.v1' })],
  ['a type of no form', 'bad_type', () => badly({ ce_type: Buffer.from([0xff, 0]) })],
  ['no headers', 'bad_type', () => bad({ headers: {} })],
  ['no position', 'bad_position', () => badly({ log_position: '' })],
  ['a null key', 'bad_key', () => bad({ key: null })],
  ['a key with a NUL', 'bad_key', () => bad({ key: `${BAD.slice(0, -1)}\0` })],
];

const UNWANTED = 'the group stumbles over this';

function refuseUnwanted(events: readonly Consumed<ChannelEvent>[]): void {
  if (events.some(({ event }) => event.type === 'message.created' && event.text === UNWANTED)) throw new TypeError('stumbled');
}

interface Letter {
  readonly error_class: string;
  readonly record_key: Buffer | null;
  readonly record_value: Buffer | null;
  readonly record_offset: string;
  readonly attempts: number;
}

describe.skipIf(broker === '')('poison through Kafka', () => {
  const groupId = `poison-${randomUUID()}`;
  const taken: Taken[] = [];
  let database: TestDatabase;
  let sql: Sql;
  let kafka: Kafka;
  let producer: Producer;
  let source: KafkaSource;
  let service: Service;

  beforeAll(async () => {
    database = await testDatabase();
    sql = database.connection.sql;
    await createLedger(sql);
    kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log });
    await createTopics(kafka, 1);
    await beginAtEnd(kafka, sql, groupId, TOPIC);
    producer = kafka.producer();
    await producer.connect();
    const group = ledgerGroup(groupId, { before: refuseUnwanted });
    source = new KafkaSource({ kafka, sql, groupId, topics: group.topics, log, sessionTimeout: 6_000 });
    service = groupService(group, source, { sql, log, chance: { now: () => new Date(), random: Math.random }, onTaken: (_, one) => taken.push(one) });
    void service.run();
    await delayOf(message(GOOD));
  }, 60_000);

  afterAll(async () => {
    await service.stop();
    await producer.disconnect();
    await database.drop();
  });

  /** Sends records and, behind them in the same partition, one of another key. Resolves with the milliseconds until that one is applied. */
  async function delayOf(...messages: Message[]): Promise<number> {
    const last = message(GOOD);
    const expected = seq;
    const sentAt = performance.now();
    await producer.sendBatch({ topicMessages: [{ topic: TOPIC, messages: [...messages, last].map((one) => ({ ...one, partition: PARTITION })) }] });
    await eventually(async () => (await readLedger(sql, groupId)).get(GOOD)?.includes(expected) === true, 20_000);
    return performance.now() - sentAt;
  }

  const letters = () => sql<Letter[]>`
    SELECT d.error_class, d.record_key, d.record_value, d.record_offset, d.attempts FROM dead_letters d WHERE d.group_id = ${groupId} ORDER BY d.record_offset::bigint`;

  it.each(POISONS)('G1: %s is a dead letter (%s) at once, byte by byte, and delays other keys by less than a second', async (_, errorClass, poison) => {
    const [sent, before, alone] = [poison(), (await letters()).length, await delayOf()];
    expect((await delayOf(sent)) - alone).toBeLessThan(MOST_DELAY);
    const bytes = (value: Message['value']): Buffer | null => (value === null ? null : Buffer.from(value));
    const made = (await letters()).slice(before);
    expect(made).toMatchObject([{ error_class: errorClass, attempts: 1, record_key: bytes(sent.key ?? null), record_value: bytes(sent.value) }]);
  });

  it('G1: goes on behind all of them, of their keys too, and every record is accounted for', async () => {
    const before = (await letters()).length;
    const poisons = POISONS.map(([, , poison]) => poison());
    const next = message(BAD);
    const expected = seq;
    await delayOf(...poisons, next);
    expect((await letters()).slice(before).map(({ error_class }) => error_class)).toEqual(POISONS.map(([, errorClass]) => errorClass));
    expect((await readLedger(sql, groupId)).get(BAD)).toContain(expected);
    await eventually(async () => totalLag(await source.lag()) === 0);
    expect(await countParkedKeys(sql)).toEqual([]);
    const sum = (of: keyof Taken): number => taken.reduce((total, one) => total + one[of], 0);
    expect([sum('applied') + sum('dead'), sum('duplicates'), sum('parked')]).toEqual([position, 0, 0]);
  });

  it('G3: a record that the group cannot apply parks its key, and delays a batch full of others by less than a second', async () => {
    const others = () => Array.from({ length: 498 }, () => message(randomUUID()));
    const alone = await delayOf(...others());
    const parked = message(randomUUID(), { value: JSON.stringify(created(1, UNWANTED)) });
    expect((await delayOf(...others().toSpliced(250, 0, parked))) - alone).toBeLessThan(MOST_DELAY);
    expect(await countParkedKeys(sql)).toEqual([{ groupId, keys: 1 }]);
  });

  it('publishes them with key, value and headers untouched beside the story of the failure', async () => {
    const sender = new RecordSender(kafka);
    const owed = await letters();
    let published = 0;
    await eventually(async () => (published += await publishDeadLetters(sql, sender).catch(() => 0)) >= owed.length, 20_000);
    await sender.close(false);
    const copies = new Map((await readDeadLetters(owed.length)).map((copy) => [String(copy.headers?.['dlq.origin_offset']), copy]));
    const originals = new Map((await readOriginals(new Set(owed.map(({ record_offset }) => record_offset)))).map((original) => [original.offset, original]));
    for (const { record_offset, error_class } of owed) {
      const [copy, original] = [copies.get(record_offset), originals.get(record_offset)];
      expect([copy?.key, copy?.value]).toEqual([original?.key, original?.value]);
      const isStory = ([name]: [string, unknown]): boolean => name.startsWith('dlq.');
      expect(Object.fromEntries(Object.entries(copy?.headers ?? {}).filter((header) => !isStory(header)))).toEqual({ ...original?.headers });
      expect(copy?.headers).toMatchObject({ 'dlq.error_class': Buffer.from(error_class), 'dlq.origin_topic': Buffer.from(TOPIC), 'dlq.origin_partition': Buffer.from(String(PARTITION)) });
    }
  });

  /** Records of a topic that are wanted, as soon as they are so many. */
  async function read(topic: string, count: number, isWanted: (message: KafkaMessage, partition: number) => boolean): Promise<KafkaMessage[]> {
    const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 });
    const messages: KafkaMessage[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message: one, partition }) => {
        if (isWanted(one, partition)) messages.push(one);
      },
    });
    await eventually(() => messages.length >= count, 20_000);
    await consumer.disconnect();
    return messages;
  }

  const readDeadLetters = (count: number) => read(`dlq.${TOPIC}`, count, ({ headers }) => String(headers?.['dlq.group']) === groupId);
  const readOriginals = (offsets: ReadonlySet<string>) => read(TOPIC, offsets.size, ({ offset }, partition) => partition === PARTITION && offsets.has(offset));
});
