import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import { connect, type Connection } from '../../db/client.ts';
import { editLetter } from '../../db/dead-letters/edit.ts';
import { discardLetters } from '../../db/queries/dead-letter-acts.ts';
import { listDeadLetters } from '../../db/queries/dead-letter-reads.ts';
import { accountOf, checkEffects, type GroupHistory } from '../../tests/support/effect-checker.ts';
import { appendToLog, created, eventually } from '../../tests/support/event-log.ts';
import { readHistory, recordCursors } from '../../tests/support/ledger-history.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { createKafka, createTopics } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { kafkaSink } from '../outbox-relay/kafka-sink.ts';
import { createRelay } from '../outbox-relay/relay.ts';
import { groupService, retrierService } from './group-runner.ts';
import { KafkaSource } from './kafka-source.ts';
import { createLedger, ledgerGroup } from './ledger.fixture.ts';
import type { Service } from './service.ts';

const broker = inject('kafkaBrokers');
const log = pino({ level: 'silent' });
const SEED = seedOfRun();
const LETTERS = 40;
/** The clock of the group runs so many times as fast: a record is out of its retries within a second. */
const HASTE = 30;

/** How a command ended, and what it said. */
interface Told {
  readonly code: number | null;
  readonly said: string;
}

const BY = { actor: 'cli:ada', reason: 'mended' };

describe.skipIf(broker === '')(`dead letters redriven under load (seed ${SEED})`, { timeout: 300_000 }, () => {
  const random = seededRandom(SEED);
  const groupId = `redrive-${randomUUID()}`;
  const keys = Array.from({ length: 6 }, () => randomUUID());
  const running: Service[] = [];
  const loading = new AbortController();
  let database: TestDatabase;
  let connection: Connection;
  let isMended = false;

  beforeAll(async () => {
    database = await testDatabase();
    connection = connect(database.url, { max: 8, applicationName: 'colink-test' });
    const { sql } = connection;
    await createLedger(sql);
    await recordCursors(sql);
    const kafka = createKafka({ brokers: [broker], clientId: 'colink-test', log });
    await createTopics(kafka, 1);
    const begun = Date.now();
    const chance = { now: () => new Date(begun + (Date.now() - begun) * HASTE), random };
    const group = ledgerGroup(groupId, {
      before: (events) => {
        if (!isMended && events.some(({ event }) => event.type === 'message.created' && event.text.startsWith('poison'))) throw new TypeError('the group stumbles');
      },
    });
    const ports = { sql, log, chance, onTaken: () => {} };
    const member = (): Service => groupService(group, new KafkaSource({ kafka, sql, groupId, topics: group.topics, log, batchRecords: 20, sessionTimeout: 6_000 }), ports);
    running.push(createRelay({ databaseUrl: database.url, sink: kafkaSink(new RecordSender(kafka)), log, onSent: () => {} }), member(), member(), retrierService(group, ports));
    for (const service of running) void service.run();
  }, 60_000);

  afterAll(async () => {
    loading.abort();
    await Promise.all(running.map((service) => service.stop()));
    await connection.close(1);
    await database.drop();
  }, 30_000);

  /** One record in eight is one that the group cannot take, for now. */
  async function write(key: string): Promise<void> {
    for (let seq = 1; !loading.signal.aborted; seq += 1) {
      await appendToLog(connection.sql, [{ key, event: created(seq, random() < 0.125 ? `poison ${seq}` : `message ${seq}`) }]);
      await sleep(20 + integer(random, 40));
    }
  }

  const history = (): Promise<GroupHistory> => readHistory(connection.sql, groupId, keys);
  const pendingIds = async (): Promise<string[]> => (await listDeadLetters(connection.db, { group: groupId, status: 'pending' }, null, 1_000)).map(({ id }) => id);

  /**
   * Letters that are said to be taken and have no effect, or to be on their way and wait in no queue: what one who dies at this moment would leave. None,
   * ever, for one statement sees one moment.
   */
  async function unfounded(): Promise<string[]> {
    const rows = await connection.sql<{ letter: string }[]>`
      SELECT concat(d.status, ' ', d.headers ->> 'log_position') AS letter FROM dead_letters d
      WHERE d.group_id = ${groupId} AND CASE d.status
        WHEN 'redriven' THEN NOT EXISTS (SELECT FROM ledger l WHERE l.group_id = d.group_id AND l.position = (d.headers ->> 'log_position')::bigint)
        WHEN 'redriving' THEN NOT EXISTS (SELECT FROM parked_records r WHERE r.dead_letter_id = d.id)
        ELSE false END`;
    return rows.map(({ letter }) => letter);
  }

  /** The first that were met. */
  async function watchLetters(until: AbortSignal): Promise<string[]> {
    let met: string[] = [];
    for (; !until.aborted && met.length === 0; await sleep(100)) met = await unfounded();
    return met;
  }

  /** As a person does it who does what is said: on a busy machine a batch may hold the letters' group for longer than a redrive waits. */
  async function redrive(rate: string, enough = Infinity): Promise<Told> {
    for (let tries = 1; ; tries += 1) {
      const told = await redriveOnce(rate, enough);
      if (!told.said.includes('run the same command again') || tries === 5) return told;
    }
  }

  /** Interrupted when it says that it has handed over `enough`: by a clock it could be through with all of them before, on a machine that is busy. */
  function redriveOnce(rate: string, enough: number): Promise<Told> {
    return new Promise((resolve) => {
      const args = ['cli/main.ts', 'dlq', 'redrive', '--group', groupId, '--rate', rate, '--wait', '20s', '--by', 'ada'];
      const child = execFile(process.execPath, args, { env: { PATH: process.env['PATH'], DATABASE_URL: database.url } });
      let said = '';
      child.stderr?.on('data', (text: string) => {
        said += text;
        const handedOver = Number(said.match(/\d+(?= handed over)/g)?.at(-1) ?? 0);
        if (handedOver >= enough && !child.killed) child.kill('SIGINT');
      });
      child.once('close', (code) => resolve({ code, said }));
    });
  }

  /** Somebody who mends letters while others redrive them: what they come too late for is refused. */
  async function editSome(until: AbortSignal): Promise<{ edited: number; refused: number }> {
    const counts = { edited: 0, refused: 0 };
    while (!until.aborted) {
      const ids = await pendingIds();
      if (ids.length === 0) break;
      const id = pick(random, ids);
      const value = JSON.stringify(created(900_000 + counts.edited, 'edited'));
      const answer = await connection.db.transaction((tx) => editLetter(tx, { id, edit: { value, force: false }, by: BY, version: null }));
      if ('ok' in answer) counts.edited += 1;
      else counts.refused += 1;
      await sleep(integer(random, 60));
    }
    return counts;
  }

  it('G1, G2, G3: twice at once, cancelled midway, under live edits and new records of the same keys: each letter is taken once or given up, and the counts reconcile', async () => {
    const writing = Promise.all(keys.map(write));
    await eventually(async () => (await pendingIds()).length >= LETTERS, 120_000, () => ({ seed: SEED }));
    isMended = true;
    const over = new AbortController();
    const editing = editSome(over.signal);
    const watching = watchLetters(loading.signal);
    const given = await connection.db.transaction((tx) => discardLetters(tx, { filter: { group: groupId } }, 5, BY));
    expect(given).toHaveLength(5);

    const interrupted = await Promise.all([redrive('4/s', 4), redrive('6/s', 12)]);
    expect(interrupted.map(({ code }) => code), `${JSON.stringify(interrupted)}`).toEqual([130, 130]);
    const midway = await history();
    expect(midway.dead.length, 'some are left').toBeGreaterThan(0);
    expect(await redrive('1000/s')).toMatchObject({ code: 0 });
    over.abort();
    const edits = await editing;
    // Those that somebody edited were passed over.
    await eventually(() => redrive('1000/s').then(async () => (await pendingIds()).length === 0), 60_000, () => ({ seed: SEED }));
    await sleep(500);
    loading.abort();
    await writing;
    expect(await watching, `seed ${SEED}`).toEqual([]);

    let seen = await history();
    await eventually(async () => {
      seen = await history();
      return accountOf(seen).parked === 0 && accountOf(seen).dead === 0;
    }, 60_000, () => ({ seed: SEED, ...accountOf(seen) }));
    await eventually(async () => {
      seen = await history();
      return seen.effects.length + seen.dead.length + seen.discarded.length >= seen.log.length;
    }, 60_000, () => accountOf(seen));
    expect(checkEffects(seen).slice(0, 10), `seed ${SEED}`).toEqual([]);
    const account = accountOf(seen);
    expect(account).toMatchObject({ parked: 0, dead: 0, discarded: 5 });
    expect(account.in).toBe(account.done + account.discarded);
    expect(seen.redriven?.size).toBeGreaterThanOrEqual(LETTERS - 5);
    expect(edits.edited).toBeGreaterThan(0);
    console.info(`seed ${SEED}: ${JSON.stringify({ ...account, ...edits, redriven: seen.redriven?.size })}`);
  });
});
