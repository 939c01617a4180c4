import type { Logger } from 'pino';
import type { Sql } from '../db/client.ts';
import { dropOldEventLog, premakePartitions } from '../db/partitions.ts';
import { purgeEndedCredentials } from '../db/queries/credentials.ts';
import { clearLettersOfDeleted, purgeSettledLetters } from '../db/queries/dead-letter-retention.ts';
import { purgeKeys } from '../db/queries/idempotency.ts';
import { type LogCursor, readOldestBehind } from '../db/queries/event-log.ts';
import { purgeScheduled } from '../db/queries/scheduled-sending.ts';
import { RESUME_DAYS } from '../protocol/limits.ts';
import { SCHEDULE_DAYS } from '../protocol/scheduled-messages.ts';
import { failureFields } from './runtime/classify.ts';
import { Poller } from './runtime/poller.ts';
import type { Service } from './runtime/service.ts';

const HOUR_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * HOUR_MS;

/** How long an ended credential is kept, for whoever asks what was used when. */
const CREDENTIALS_DAYS = 30;
/** And a settled dead letter, for whoever asks what became of it. */
const SETTLED_DAYS = 30;
const PURGED_AT_ONCE = 10_000;

export interface MaintenanceOptions {
  readonly sql: Sql;
  readonly log: Logger;
  /** Cursors over the event log, besides the relay's, that must not lose what lies behind them. */
  readonly cursors: () => Promise<readonly LogCursor[]>;
}

/**
 * Hourly: makes the partitions to come, drops the days of `event_log` that nobody can still ask for, credentials that ended long ago, what dead letters need not
 * keep, answers kept for repetitions, and what became of messages that were scheduled.
 */
export function createMaintenance({ sql, log, cursors }: MaintenanceOptions): Service {
  return new Poller({
    name: 'maintenance',
    idle: { first: HOUR_MS, most: HOUR_MS },
    failure: { first: 10_000, most: HOUR_MS },
    onError: (error) => log.error(failureFields(error), 'maintenance failed'),
    step: async () => {
      const made = await premakePartitions(sql);
      const dropped = await dropOldEventLog(sql, { retentionDays: RESUME_DAYS, ...(await keepFor(sql, await cursors())) });
      const purged = await purgeEndedCredentials(sql, CREDENTIALS_DAYS, PURGED_AT_ONCE);
      const letters = await tidyDeadLetters(sql);
      const keys = await purgeOldKeys(sql);
      const scheduled = await purgeScheduled(sql, new Date(Date.now() - SCHEDULE_DAYS * DAY_MS), PURGED_AT_ONCE);
      log.info({ made, dropped, purged, letters, keys, scheduled }, 'maintenance done');
      return false;
    },
  });
}

/** Purges letters that were settled long ago, and clears those of messages that have been deleted since they failed. */
export async function tidyDeadLetters(sql: Sql): Promise<{ purged: number; cleared: number }> {
  const purged = await purgeSettledLetters(sql, SETTLED_DAYS, PURGED_AT_ONCE);
  const { letters, records } = await sql.begin((tx) => clearLettersOfDeleted(tx, 'maintenance'));
  return { purged, cleared: letters + records };
}

/** All of them, so many at a time: an hour may bring more than one statement should delete. */
export async function purgeOldKeys(sql: Sql, atOnce: number = PURGED_AT_ONCE): Promise<number> {
  let purged = 0;
  for (let last = atOnce; last === atOnce; purged += last) last = await purgeKeys(sql, atOnce);
  return purged;
}

/** From when on the event log has rows behind one of the cursors; a day of slack, for a transaction that began before one found first. */
export async function keepFor(sql: Sql, cursors: readonly LogCursor[]): Promise<{ keepFrom?: Date }> {
  const behind = await Promise.all(cursors.map((cursor) => readOldestBehind(sql, cursor)));
  const oldest = behind.filter((at) => at !== null);
  return oldest.length === 0 ? {} : { keepFrom: new Date(Math.min(...oldest) - DAY_MS) };
}
