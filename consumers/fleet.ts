import type { Logger } from 'pino';
import { connect, type Sql } from '../db/client.ts';
import { missingPartitions } from '../db/partitions.ts';
import { countPendingDeadLetters } from '../db/queries/dead-letters.ts';
import { countParkedKeys } from '../db/queries/parking.ts';
import { readOldestDueDigest } from '../db/queries/email-sending.ts';
import { readOldestDuePush } from '../db/queries/push-sending.ts';
import { readOldestUnrelayed } from '../db/queries/relay-layout.ts';
import { readOldestScheduled } from '../db/queries/scheduled-sending.ts';
import { readOldestDue } from '../db/queries/webhook-sending.ts';
import type { FleetConfig } from './config.ts';
import { askAll, dependenciesOf } from './dependencies.ts';
import { serveFleet } from './http-server.ts';
import { FleetMetrics, type Probes } from './metrics.ts';
import type { EventSource } from './runtime/event-source.ts';
import type { Service } from './runtime/service.ts';
import { assemble } from './services.ts';

export interface Fleet {
  /** Of `/health`, `/ready` and `/metrics`. */
  readonly port: number;
  /** Rejects when a service breaks by a defect; never resolves. */
  readonly broken: Promise<never>;
  /** Drains everything; what is not through after `deadlineMs` is stopped. Returns the names of what had to be: none, all was drained. Safe to repeat. */
  shutdown(deadlineMs: number): Promise<readonly string[]>;
}

const POSTGRES_SOCKETS = 8;
/** A batch that hangs in the middle of its transaction holds its offset row against whoever comes next, for so many milliseconds. */
const IDLE_IN_TRANSACTION = 180_000;

/** Starts all that a process of this configuration runs. Neither Postgres nor Kafka need be there yet. */
export async function startFleet(config: FleetConfig, log: Logger): Promise<Fleet> {
  const connection = connect(config.databaseUrl, { max: POSTGRES_SOCKETS, applicationName: 'colink-fleet', idleInTransaction: IDLE_IN_TRANSACTION });
  const { sql } = connection;
  const metrics = new FleetMetrics();
  const { services, sources } = assemble({ config, sql, log, metrics });
  const dependencies = dependenciesOf(config, sql);
  metrics.watch({ ...probesOf(sql, config, sources), dependencies: () => askAll(dependencies) }, [...sources.keys()]);
  let isServing = true;
  const server = await serveFleet(config.host, config.port, metrics.registry, {
    isServing: () => isServing,
    dependencies: () => askAll(dependencies),
  });
  const broken = watchOver(services);

  /** All at once. What the groups write on their way out waits in the log: another relay carries it, and this one must not begin to lead meanwhile. */
  async function drain(left: Set<Service>): Promise<void> {
    await Promise.allSettled(services.map((service) => service.drain().then(() => left.delete(service))));
  }

  async function shutdown(deadlineMs: number): Promise<readonly string[]> {
    isServing = false;
    const left = new Set(services);
    await within(deadlineMs, drain(left));
    const forced = [...left];
    if (forced.length > 0) await within(1_000, Promise.all(forced.map((service) => service.stop())));
    await Promise.all([server.close(), connection.close(1)]);
    return forced.map(({ name }) => name);
  }

  let ending: Promise<readonly string[]> | null = null;
  return { port: server.port, broken, shutdown: (deadlineMs) => (ending ??= shutdown(deadlineMs)) };
}

async function watchOver(services: readonly Service[]): Promise<never> {
  await Promise.all(services.map((service) => service.run()));
  return new Promise<never>(() => {});
}

/** Waits for `work`, at most so long. Its failure is the caller's to see in `broken`. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, ms);
  await Promise.race([Promise.allSettled([work]), over.promise]);
  clearTimeout(timer);
}

function probesOf(sql: Sql, { brokers, smtp }: FleetConfig, sources: ReadonlyMap<string, EventSource>): Omit<Probes, 'dependencies'> {
  return {
    ...(brokers.length > 0 && { oldestUnrelayed: () => readOldestUnrelayed(sql) }),
    lags: async () => new Map(await Promise.all([...sources].map(async ([group, source]) => [group, await source.lag()] as const))),
    parkedKeys: () => countParkedKeys(sql),
    deadLetters: () => countPendingDeadLetters(sql),
    missingPartitions: async () => (await missingPartitions(sql)).length,
    oldestDueDelivery: () => readOldestDue(sql, new Date()),
    oldestDuePush: () => readOldestDuePush(sql),
    // Where nothing mails them, nobody waits for digests.
    oldestDueDigest: () => (smtp === null ? Promise.resolve(null) : readOldestDueDigest(sql)),
    oldestScheduled: () => readOldestScheduled(sql),
  };
}
