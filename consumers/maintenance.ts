import type { Logger } from 'pino';
import type { Sql } from '../db/client.ts';
import { premakePartitions } from '../db/partitions.ts';
import { dropLogDay, type LogCursor, listLogDays, readOldestBehind } from '../db/queries/event-log.ts';
import { RESUME_DAYS } from '../protocol/limits.ts';
import { failureFields } from './runtime/classify.ts';
import { Poller } from './runtime/poller.ts';
import type { Service } from './runtime/service.ts';

const HOUR_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * HOUR_MS;

export interface MaintenanceOptions {
  readonly sql: Sql;
  readonly log: Logger;
  readonly now: () => Date;
  /** Cursors over the event log that must not lose what lies behind them. */
  readonly cursors: () => Promise<readonly LogCursor[]>;
}

/** Hourly: makes the partitions to come, drops the days of `event_log` that nobody can still ask for. */
export function createMaintenance(options: MaintenanceOptions): Service {
  return new Poller({
    name: 'maintenance',
    idle: { first: HOUR_MS, most: HOUR_MS },
    failure: { first: 10_000, most: HOUR_MS },
    onError: (error) => options.log.error(failureFields(error), 'maintenance failed'),
    step: async () => {
      const made = await premakePartitions(options.sql);
      const dropped = await dropOldLogDays(options);
      options.log.info({ made, dropped }, 'maintenance done');
      return false;
    },
  });
}

/** Drops days that ended more than `RESUME_DAYS` ago, save those that may hold a row behind one of the cursors; returns how many. */
export async function dropOldLogDays({ sql, now, cursors }: Omit<MaintenanceOptions, 'log'>): Promise<number> {
  const horizon = now().getTime() - RESUME_DAYS * DAY_MS;
  const old = (await listLogDays(sql)).filter(({ day }) => day.getTime() + DAY_MS <= horizon);
  if (old.length === 0) return 0;
  const behind = await Promise.all((await cursors()).map((cursor) => readOldestBehind(sql, cursor)));
  const owedFrom = Math.min(...behind.map((at) => (at === null ? Number.POSITIVE_INFINITY : at - DAY_MS)));
  const free = old.filter(({ day }) => day.getTime() + DAY_MS <= owedFrom);
  for (const { partition } of free) await dropLogDay(sql, partition);
  return free.length;
}
