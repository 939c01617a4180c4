import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecordSender } from '../consumers/kafka/record-sender.ts';
import { kafkaSink } from '../consumers/outbox-relay/kafka-sink.ts';
import { SESSION_TIMEOUT } from '../consumers/runtime/kafka-member.ts';
import { logHeaders } from '../consumers/runtime/record.ts';
import type { Sql } from '../db/client.ts';
import type { LogRow } from '../db/queries/event-log.ts';
import { readTaken, startGroups, untilTaken } from './fleet.ts';
import { messageRows, take } from './messages.ts';
import { type Outbox, readEnds, TOPIC, withOutbox } from './outbox.ts';
import { bar, exact, type BenchResult, roundedAll } from './report.ts';
import type { BenchOptions } from './stack.ts';
import { median } from './statistics.ts';

/**
 * Two processes of the fleet share the partitions under a steady load. One is killed: how long until the other has caught up with them. And how much
 * a record that cannot be read delays the next one of another key in its partition: beside the same without it, in turns.
 */
const PER_SECOND = 500;
const TICK_MS = 100;
const SHARE_MS = 6_000;
const PATIENCE_MS = 40_000;
const SAMPLES = 12;
const PARTITION = 0;

export function benchRecover(options: BenchOptions): Promise<BenchResult> {
  return withOutbox(options, async (outbox) => {
    const rows = messageRows(outbox.texts);
    const { caughtUpMs, sent, shared } = await killOne(outbox, rows, options);
    await untilTaken(outbox.sql, sent, PATIENCE_MS);
    const [{ indexed }] = await outbox.sql<[{ indexed: number }]>`SELECT count(*)::integer AS indexed FROM search_messages`;
    options.log('poison');
    const delays = await delaysByPoison(outbox, rows);
    return {
      bench: 'recover',
      figures: roundedAll({
        kill_to_caught_up_ms: caughtUpMs,
        session_timeout_ms: SESSION_TIMEOUT,
        alone_p50_ms: median(delays.map(({ alone }) => alone)),
        behind_poison_p50_ms: median(delays.map(({ behind }) => behind)),
        load_1_minute: loadavg()[0] ?? Number.NaN,
      }),
      ratios: {},
      bars: [
        bar('kill_to_caught_up_ms', caughtUpMs, { at_most: SESSION_TIMEOUT + 10_000 }),
        bar('poison_delay_most_ms', Math.max(...delays.map(({ alone, behind }) => behind - alone)), { at_most: 1_000 }),
        bar('partitions_of_the_killed', shared, { at_least: 1 }),
        exact('indexed', indexed, sent),
      ],
    };
  });
}

interface Recovery {
  readonly caughtUpMs: number;
  /** Messages produced in all. */
  readonly sent: number;
  /** Partitions that stood still once the process was killed. */
  readonly shared: number;
}

async function killOne(outbox: Outbox, rows: Iterator<LogRow, never>, { log }: BenchOptions): Promise<Recovery> {
  const { sql, databaseUrl, brokers, directory } = outbox;
  const [victim, other] = await Promise.all(['victim', 'other'].map((name) => startGroups({ databaseUrl, brokers, logFile: `${directory}/${name}.log` })));
  const load = startLoad(outbox, rows);
  await untilTaken(sql, 1, PATIENCE_MS);
  await sleep(SHARE_MS);
  log(`one of two processes is killed under ${PER_SECOND} messages/s`);
  if (victim !== undefined) process.kill(victim.pid, 'SIGKILL');
  const killedAt = performance.now();
  await sleep(TICK_MS * 10);
  const before = await readTaken(sql);
  await sleep(SESSION_TIMEOUT / 2);
  const after = await readTaken(sql);
  const shared = [...after].filter(([partition, taken]) => taken === before.get(partition)).length;
  const caughtUpMs = (await untilCaughtUp(outbox)) - killedAt;
  const sent = await load.end();
  await untilTaken(sql, sent, PATIENCE_MS);
  await other?.stop();
  return { caughtUpMs, sent, shared };
}

function startLoad({ kafka }: Outbox, rows: Iterator<LogRow, never>): { end(): Promise<number> } {
  const sink = kafkaSink(new RecordSender(kafka));
  const ending = new AbortController();
  let sent = 0;
  const running = (async () => {
    const startedAt = performance.now();
    for (let tick = 1; !ending.signal.aborted; tick += 1) {
      await sink.send(take(rows, (PER_SECOND * TICK_MS) / 1_000));
      sent += (PER_SECOND * TICK_MS) / 1_000;
      await sleep(Math.max(0, startedAt + tick * TICK_MS - performance.now()));
    }
  })();
  return {
    end: async () => {
      ending.abort();
      await running;
      await sink.close(false);
      return sent;
    },
  };
}

/** Resolves with the moment at which no partition is behind by more than what comes in two seconds. */
async function untilCaughtUp({ sql, kafka }: Outbox): Promise<number> {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await sleep(TICK_MS)) {
    const ends = await readEnds(kafka, TOPIC);
    const taken = await readTaken(sql);
    const behind = [...ends].map(([partition, end]) => end - (taken.get(partition) ?? 0));
    if (Math.max(...behind) <= (2 * PER_SECOND) / ends.size) return performance.now();
  }
  return Number.POSITIVE_INFINITY;
}

interface Delay {
  /** Milliseconds until a message is in the index. */
  readonly alone: number;
  /** The same right behind a record that cannot be read, of another key. */
  readonly behind: number;
}

async function delaysByPoison(outbox: Outbox, rows: Iterator<LogRow, never>): Promise<Delay[]> {
  const { sql, databaseUrl, brokers, directory } = outbox;
  const fleet = await startGroups({ databaseUrl, brokers, logFile: `${directory}/poisoned.log` });
  const producer = outbox.kafka.producer();
  await producer.connect();
  const delayOf = async (sends: readonly ReturnType<typeof toMessage>[]): Promise<number> => {
    const row = rows.next().value;
    const sentAt = performance.now();
    await producer.send({ topic: TOPIC, messages: [...sends, toMessage(row, row.data)] });
    return (await untilIndexed(sql, row)) - sentAt;
  };
  await delayOf([]);
  const delays: Delay[] = [];
  for (let n = 0; n < SAMPLES; n += 1) {
    const alone = await delayOf([]);
    delays.push({ alone, behind: await delayOf([toMessage(rows.next().value, '{"type":')]) });
  }
  await producer.disconnect();
  await fleet.stop();
  return delays;
}

const toMessage = (row: LogRow, value: string) => ({ partition: PARTITION, key: row.key, value, headers: logHeaders(row) });

async function untilIndexed(sql: Sql, { eventId }: LogRow): Promise<number> {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await sleep(5)) {
    const [row] = await sql<[{ found: boolean }]>`SELECT EXISTS (SELECT FROM search_messages s WHERE s.id = ${eventId}::uuid) AS found`;
    if (row.found) return performance.now();
  }
  return Number.POSITIVE_INFINITY;
}
