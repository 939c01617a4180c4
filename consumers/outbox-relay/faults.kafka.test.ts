import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../../tests/support/fleet.ts';
import { judgeProduce, type ProduceFate } from '../../tests/support/kafka-link.ts';
import { type RelayBed, startRelayBed } from '../../tests/support/relay-bed.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { createKafka } from '../kafka/client.ts';
import { RecordSender } from '../kafka/record-sender.ts';
import { kafkaSink } from './kafka-sink.ts';
import { createRelay } from './relay.ts';

const log = pino({ level: 'silent' });
const SEED = seedOfRun();

describe.skipIf(inject('kafkaBrokers') === '')(`the relay on bad links, and its deaths (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  let bed: RelayBed;
  const endings: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    console.log(`seed ${SEED}`);
    bed = await startRelayBed(random);
  }, 60_000);
  beforeEach(() => bed.sql`TRUNCATE event_log, relay_states`);
  afterEach(async () => {
    await Promise.all(endings.splice(0).map((end) => end()));
  });
  afterAll(() => bed.close(), 30_000);

  /** In this process, in pages so small that there are many. */
  function startRelay(): void {
    const kafka = createKafka({ brokers: [bed.brokers], clientId: 'colink-test', log });
    const relay = createRelay({ databaseUrl: bed.databaseUrl, sink: kafkaSink(new RecordSender(kafka)), log, onSent: () => {}, pageRows: 20 });
    endings.push(() => relay.stop());
    void relay.run();
  }

  async function startProcess(shards = 1): Promise<FleetProcess> {
    const environment = { DATABASE_URL: bed.databaseUrl, KAFKA_BROKERS: bed.brokers, RELAY_SHARDS: String(shards) };
    const process = await startFleetProcess(environment, ['--run', 'relay']);
    endings.push(() => process.end('SIGKILL'));
    return process;
  }

  async function expectWhole(withinMs?: number): Promise<number> {
    const { violations, records, repeated } = await bed.verdict(withinMs);
    console.log(`seed ${SEED}: ${records} records, ${repeated} of them again`);
    expect(violations).toEqual([]);
    expect(records).toBeGreaterThan(50);
    return repeated;
  }

  it.each([1, 2, 5])('G1, G2, G3: the answer to a produce request is lost %i times, and what was in doubt is only repeated', async (times) => {
    bed.kafka.judge = judgeProduce((count) => (count > 2 && count <= 2 + times ? pick<ProduceFate>(random, ['cut', 'unsent', 'cut']) : 'pass'));
    const writers = bed.startWriters(5, random);
    startRelay();
    await eventually(() => writers.committed() > 200);
    await writers.end();
    await expectWhole();
  });

  it('G1, G2, G3: a broker that takes a request and never answers is asked again', async () => {
    bed.kafka.judge = judgeProduce((count) => (count === 3 ? 'unanswered' : 'pass'));
    const writers = bed.startWriters(5, random);
    startRelay();
    await eventually(() => writers.committed() > 200);
    await writers.end();
    expect(await expectWhole(40_000)).toBeGreaterThan(0);
  });

  it('a request of which it is not known whether it arrived is not sent again by its producer', async () => {
    let requests = 0;
    bed.kafka.judge = judgeProduce((count) => {
      requests = count;
      return 'cut';
    });
    const sender = new RecordSender(createKafka({ brokers: [bed.brokers], clientId: 'colink-test', log }));
    endings.push(() => sender.close(true));
    await expect(sender.send([{ topic: 'presence.events', key: randomUUID(), value: '{}', headers: {} }])).rejects.toBeInstanceOf(Error);
    expect(requests).toBe(1);
    bed.kafka.clear();
  });

  it('G1, G3: latency, jitter, resets and slices on both links', async () => {
    const writers = bed.startWriters(6, random);
    startRelay();
    for (let spell = 0; spell < 24; spell += 1) {
      for (const link of [bed.postgres, bed.kafka]) {
        link.set({
          latencyMs: integer(random, 30), jitterMs: integer(random, 40), sliceBytes: pick(random, [0, 0, 3, 90, 1_400]), resetChance: pick(random, [0, 0, 0.02, 0.2]),
        });
      }
      await sleep(integer(random, 600));
    }
    await writers.end();
    await expectWhole();
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('G1, G2, G3: the broker is restarted by %s under load', async (signal) => {
    const writers = bed.startWriters(5, random);
    startRelay();
    await eventually(() => writers.committed() > 100);
    await bed.restartBroker(signal);
    await eventually(() => writers.committed() > 400, 20_000);
    await writers.end();
    await expectWhole();
  }, 90_000);

  it('G1, G2, G3: kill -9 before a page is produced, before it is known to be, and right after its place is stored', async () => {
    const writers = bed.startWriters(5, random);
    for (let death = 0; death < 6; death += 1) {
      const relay = await startProcess();
      const { promise: isDead, resolve: dead } = Promise.withResolvers<unknown>();
      const kill = (): void => dead(relay.end('SIGKILL'));
      const fatal = 1 + integer(random, 8);
      if (death % 3 === 0) bed.kafka.judge = judgeProduce((count) => (count < fatal ? 'pass' : (kill(), 'unsent')));
      if (death % 3 === 1) bed.kafka.judge = judgeProduce((count) => (count < fatal ? 'pass' : (setTimeout(kill, 20), 'unanswered')));
      if (death % 3 === 2) bed.postgres.judge = ({ from, bytes }) => (from === 'server' && bytes.includes('UPDATE 1\0') && random() < 0.2 ? (kill(), 'drop') : 'pass');
      await isDead;
      bed.kafka.clear();
      bed.postgres.clear();
    }
    await startProcess();
    await writers.end();
    await expectWhole();
  }, 120_000);

  it('G1, G2, G3: processes share the shards, and each shard has its leader again when some are killed or another number is laid out', async () => {
    const writers = bed.startWriters(8, random);
    const three = await Promise.all([startProcess(4), startProcess(4), startProcess(4)]);
    const leads = async (): Promise<number[]> => Promise.all(three.map(leadsOf));
    await eventually(async () => (await leads()).toSorted().join() === '1,1,2', 15_000, leads);
    await three[0].end('SIGKILL');
    await eventually(async () => (await leads()).toSorted().join() === '0,2,2', 15_000, leads);
    const fourth = await startProcess(3);
    await eventually(async () => [...(await leads()), await leadsOf(fourth)].toSorted().join() === '0,1,1,1', 15_000, leads);
    await three[1].end('SIGTERM');
    await sleep(500);
    await writers.end();
    await expectWhole();
  }, 90_000);

  /** Shards that a process leads; 0 where it is gone. */
  async function leadsOf({ url }: FleetProcess): Promise<number> {
    const text = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) }).then((response) => response.text(), () => '');
    return Number(/^colink_relay_leading (\d+)/m.exec(text)?.[1] ?? 0);
  }
});
