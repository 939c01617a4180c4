import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createKafka, createTopics } from '../../consumers/kafka/client.ts';
import { connect, type Connection, type Sql } from '../../db/client.ts';
import { type KafkaBroker, startKafka } from '../../dev/kafka/broker.ts';
import { freePort } from '../../dev/ports.ts';
import { startKafkaLink } from './kafka-link.ts';
import { Link } from './link.ts';
import { allRelayed, readLogRows, startWriters, type Writers } from './outbox-writers.ts';
import { type TestDatabase, testDatabase } from './postgres.ts';
import { checkTopic, type TopicVerdict } from './topic-checker.ts';
import { readRecords } from './topic.ts';

/** A relay's surroundings: a database and a broker of its own, each behind a link. */
export interface RelayBed {
  /** Of the database, past the link. */
  readonly sql: Sql;
  /** Of the database, through the link. */
  readonly databaseUrl: string;
  readonly postgres: Link;
  readonly kafka: Link;
  /** Through the link. */
  readonly brokers: string;
  startWriters(keys: number, random: () => number): Writers;
  /** Ends the broker by the signal, and starts it again on what it had. */
  restartBroker(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Clears the links, waits until all is relayed, and judges the topic by the log. */
  verdict(withinMs?: number): Promise<TopicVerdict>;
  close(): Promise<void>;
}

export async function startRelayBed(random: () => number): Promise<RelayBed> {
  const database = await testDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'colink-relay-bed-'));
  const port = await freePort();
  const postgres = await Link.start({ port: Number(new URL(database.url).port), random });
  const kafka = await startKafkaLink(port, random);
  const start = (): Promise<KafkaBroker> => startKafka({ dataDir, port, advertisedPort: kafka.port });
  let broker = await start();
  const { brokers } = broker;
  await createTopics(createKafka({ brokers: [brokers], clientId: 'colink-test', log: pino({ level: 'silent' }) }), 1);
  const writing = connect(database.url, { max: 10, applicationName: 'colink-test' });
  return {
    sql: database.connection.sql,
    databaseUrl: throughLink(database.url, postgres),
    postgres,
    kafka,
    brokers,
    startWriters: (keys, random) => startWriters(writing.sql, keys, random),
    restartBroker: async (signal) => {
      process.kill(broker.pid, signal);
      await broker.exited;
      broker = await start();
    },
    verdict: async (withinMs = 30_000) => {
      postgres.clear();
      kafka.clear();
      await allRelayed(database.connection.sql, withinMs);
      return judge(database.connection.sql, brokers);
    },
    close: () => closeAll(database, writing, [postgres, kafka], broker, dataDir),
  };
}

async function closeAll(database: TestDatabase, writing: Connection, links: readonly Link[], broker: KafkaBroker, dataDir: string): Promise<void> {
  await Promise.all(links.map((link) => link.close()));
  await broker.stop();
  await writing.close(1);
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
}

/** The same database, by way of the link. */
export function throughLink(url: string, { port }: Link): string {
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(port);
  return through.href;
}

async function judge(sql: Sql, brokers: string): Promise<TopicVerdict> {
  const log = await readLogRows(sql);
  return checkTopic(log, await readRecords(brokers, new Set(log.map(({ key }) => key))));
}
