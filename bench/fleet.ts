import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from '../db/client.ts';
import { type Running, startChild } from '../dev/child.ts';

const MAIN = join(import.meta.dirname, '..', 'consumers', 'main.ts');
const POLL_MS = 20;

export interface FleetOptions {
  readonly databaseUrl: string;
  readonly brokers: string;
  readonly logFile: string;
}

/** A process of the fleet that runs the groups alone. */
export function startGroups({ databaseUrl, brokers, logFile }: FleetOptions): Promise<Running> {
  const env = { DATABASE_URL: databaseUrl, KAFKA_BROKERS: brokers, LOG_LEVEL: 'warn' };
  return startChild({ command: process.execPath, args: [MAIN, '--run', 'groups'], env, logFile });
}

/** Offsets that `search-indexer` has taken, by partition. */
export async function readTaken(sql: Sql): Promise<Map<number, number>> {
  const rows = await sql<{ partition: number; taken: number }[]>`
    SELECT o.partition, split_part(o.cursor, '@', 1)::float8 AS taken
    FROM consumer_offsets o WHERE o.group_id = 'search-indexer' AND o.topic = 'message.events' AND o.cursor <> ''`;
  return new Map(rows.map(({ partition, taken }) => [partition, taken]));
}

/** Resolves once `search-indexer` has taken so many records, with the moment; rejects when it has not within the time. */
export async function untilTaken(sql: Sql, records: number, withinMs: number): Promise<number> {
  for (const deadline = performance.now() + withinMs; performance.now() < deadline; await sleep(POLL_MS)) {
    const taken = [...(await readTaken(sql)).values()].reduce((sum, each) => sum + each, 0);
    if (taken >= records) return performance.now();
  }
  throw new Error(`${records} records were not taken within ${withinMs / 1_000} s`);
}
