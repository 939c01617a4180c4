import type { Logger } from 'pino';
import type { Sql } from '../../db/client.ts';
import { dueAnswerSchema, type DueMessage } from '../../protocol/scheduled-messages.ts';
import type { FleetMetrics } from '../metrics.ts';
import { failureFields, InfrastructureError } from '../runtime/classify.ts';
import type { Service } from '../runtime/service.ts';
import type { WorkerAddress } from '../worker-calls.ts';
import { createScheduler, type SchedulerPorts } from './scheduler.ts';

const CALL_MS = 15_000;

/** By calls to the Worker, which alone reaches the channels. */
const sendByWorker = ({ url, token }: WorkerAddress): SchedulerPorts['send'] => async (due: DueMessage) => {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const response = await fetch(new URL('/internal/scheduled-messages', url), { method: 'POST', headers, body: JSON.stringify(due), signal: AbortSignal.timeout(CALL_MS) });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new InfrastructureError(`the Worker answered ${response.status}`);
  }
  return dueAnswerSchema.parse(await response.json());
};

export interface SchedulerParts {
  readonly worker: WorkerAddress;
  readonly sql: Sql;
  readonly log: Logger;
  readonly metrics: FleetMetrics;
}

export const schedulerService = ({ worker, sql, log, metrics }: SchedulerParts): Service =>
  createScheduler({
    sql,
    send: sendByWorker(worker),
    random: Math.random,
    onSettled: (outcome) => metrics.scheduledMessage(outcome),
    onError: (error) => log.warn(failureFields(error), 'scheduled messages wait'),
  });
