import { loadavg } from 'node:os';
import { RecordSender } from '../consumers/kafka/record-sender.ts';
import { kafkaSink } from '../consumers/outbox-relay/kafka-sink.ts';
import { applyIndexChanges } from '../db/queries/search-index.ts';
import type { LogRow } from '../db/queries/event-log.ts';
import { channelEventSchema } from '../protocol/events.ts';
import { foldChanges } from '../consumers/search-indexer/fold.ts';
import { startGroups, untilTaken } from './fleet.ts';
import { messageRows, take } from './messages.ts';
import { type Outbox, withOutbox } from './outbox.ts';
import { insertCreated } from './queries.ts';
import { bar, exact, type BenchResult, roundedAll } from './report.ts';
import type { BenchOptions } from './stack.ts';

/**
 * Messages of a backlog that the group `search-indexer` takes out of Kafka in a second, each in the index and its offset stored. Beside it, the same
 * statement for as many other messages from memory, without Kafka, border or offsets: what Postgres alone takes.
 */
const WARM_UP = 20_000;
const MESSAGES = 120_000;
const PRODUCE = 5_000;
/** As the group: records a transaction, and partitions at once. */
const BATCH = 500;
const AT_ONCE = 3;
const PATIENCE_MS = 60_000;

export function benchIndex(options: BenchOptions): Promise<BenchResult> {
  return withOutbox(options, async (outbox) => {
    const rows = messageRows(outbox.texts);
    options.log(`producing ${WARM_UP + MESSAGES} messages, of ${outbox.texts.length} texts`);
    await produce(outbox, rows, WARM_UP + MESSAGES);
    const perSecond = await indexBacklog(outbox);
    options.log(`search-indexer ${Math.round(perSecond)}/s`);
    const [{ indexed }] = await outbox.sql<[{ indexed: number }]>`SELECT count(*)::integer AS indexed FROM search_messages`;
    const others = take(rows, MESSAGES);
    await keep(outbox, others);
    const statement = await indexFromMemory(outbox, others);
    return {
      bench: 'index',
      figures: roundedAll({ indexed_per_s: perSecond, statement_per_s: statement, load_1_minute: loadavg()[0] ?? Number.NaN }),
      ratios: roundedAll({ indexer_to_statement: perSecond / statement }),
      bars: [bar('indexed_per_s', perSecond, { at_least: 10_000 }), exact('indexed', indexed, WARM_UP + MESSAGES)],
    };
  });
}

/** Each is in history before it is in the topic, where the indexer looks it up. */
async function produce(outbox: Outbox, rows: Iterator<LogRow, never>, count: number): Promise<void> {
  const sink = kafkaSink(new RecordSender(outbox.kafka));
  for (let left = count; left > 0; left -= PRODUCE) {
    const page = take(rows, Math.min(left, PRODUCE));
    await keep(outbox, page);
    await sink.send(page);
  }
  await sink.close(false);
}

async function keep({ sql }: Outbox, rows: readonly LogRow[]): Promise<void> {
  for (let start = 0; start < rows.length; start += PRODUCE) await insertCreated(sql, rows.slice(start, start + PRODUCE));
}

/** From the moment the warm-up is taken until all is. */
async function indexBacklog({ sql, databaseUrl, brokers, directory }: Outbox): Promise<number> {
  const fleet = await startGroups({ databaseUrl, brokers, logFile: `${directory}/fleet.log` });
  const startedAt = await untilTaken(sql, WARM_UP, PATIENCE_MS);
  const endedAt = await untilTaken(sql, WARM_UP + MESSAGES, PATIENCE_MS).finally(() => fleet.stop());
  return (MESSAGES * 1_000) / (endedAt - startedAt);
}

async function indexFromMemory({ sql }: Outbox, rows: readonly LogRow[]): Promise<number> {
  const events = rows.map(({ key, position, data }) => ({ key, position, event: channelEventSchema.parse(JSON.parse(data)) }));
  const batches = Array.from({ length: Math.ceil(events.length / BATCH) }, (_, n) => foldChanges(events.slice(n * BATCH, (n + 1) * BATCH))).values();
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const batch of batches) await sql.begin((tx) => applyIndexChanges(tx, batch));
    }),
  );
  return (rows.length * 1_000) / (performance.now() - startedAt);
}
