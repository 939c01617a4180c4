import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { appendToLog, created, deleted, edited, eventually } from '../../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../../tests/support/fleet.ts';
import { foldIndex, type IndexRow } from '../../tests/support/fold.ts';
import { beginAtEnd } from '../../tests/support/kafka-group.ts';
import { isLingering, lingerOnCursors, TAKEN } from '../../tests/support/linger.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { kafkaSink } from '../outbox-relay/kafka-sink.ts';
import { createRelay } from '../outbox-relay/relay.ts';
import type { Service } from './service.ts';

const broker = inject('kafkaBrokers');
const log = pino({ level: 'silent' });
/** Seconds a transaction of a group lingers once its cursor is moved, so that it can be met there. */
const LINGER = 0.3;

describe.skipIf(broker === '')('a consumer process killed around its commit', { timeout: 180_000 }, () => {
  let database: TestDatabase;
  let sql: Sql;
  let relay: Service;
  let fleet: FleetProcess | undefined;

  beforeAll(async () => {
    database = await testDatabase();
    sql = database.connection.sql;
    const kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log });
    await createTopics(kafka, 1);
    relay = createRelay({ databaseUrl: database.url, sink: kafkaSink(new RecordSender(kafka)), log, onSent: () => {} });
    void relay.run();
    await beginAtEnd(kafka, sql, 'search-indexer', 'message.events');
    await lingerOnCursors(sql, 'search-indexer', LINGER);
  }, 60_000);

  afterEach(() => fleet?.end('SIGKILL'));

  afterAll(async () => {
    await relay.stop();
    await database.drop();
  });

  /** A transaction that has done all but commit. */
  async function beforeCommit(): Promise<void> {
    await eventually(() => isLingering(sql), 60_000);
  }

  /** A transaction that is committed. Postgres tells of it at the commit, and Kafka is told by the process after that. */
  async function afterCommit(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { unlisten } = await sql.listen(TAKEN, () => resolve());
    await promise;
    await unlisten();
  }

  async function readIndex(channel: string): Promise<Map<string, IndexRow>> {
    const rows = await sql<IndexRow[]>`
      SELECT s.id::text AS id, s.author_id::text AS author_id, s.seq::float8 AS seq, s.text FROM search_messages s WHERE s.channel_id = ${channel}`;
    return new Map(rows.map((row) => [row.id, { ...row }]));
  }

  it('G1, G2, G7: before it, and after it but before Kafka hears of it: the index is the fold of the log', async () => {
    const lives = new Map<string, ChannelEvent[]>();
    for (const moment of [beforeCommit, afterCommit, beforeCommit, afterCommit]) {
      fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker }, ['--run', 'groups']);
      const met = moment();
      for (let n = 0; n < 4; n += 1) lives.set(randomUUID(), []);
      for (const [key, events] of lives) {
        const more = lifeFrom(events.length);
        events.push(...more);
        await appendToLog(sql, more.map((event) => ({ key, event })));
      }
      await met;
      expect(await fleet.end('SIGKILL')).toBe('SIGKILL');
    }
    fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker }, ['--run', 'groups']);
    for (const [channel, events] of lives) {
      const expected = foldIndex(events);
      await expect.poll(() => readIndex(channel), { timeout: 60_000 }).toEqual(expected);
    }
    expect(await sql`SELECT d.id FROM dead_letters d WHERE d.group_id = 'search-indexer' AND d.record_key = ANY (SELECT convert_to(e.key::text, 'UTF8') FROM event_log e)`).toEqual([]);
  });
});

/** Six events of a channel that has so many: two messages, one edited, one deleted, and two that stay. */
function lifeFrom(seq: number): ChannelEvent[] {
  const [kept, gone] = [created(seq + 1), created(seq + 2)];
  return [kept, gone, edited(seq + 3, kept.message_id, `text of ${seq}`), deleted(seq + 4, gone.message_id), created(seq + 5), created(seq + 6)];
}
