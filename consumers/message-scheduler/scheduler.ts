import { randomUUID } from 'node:crypto';
import type { Sql } from '../../db/client.ts';
import { type ClaimedMessage, claimScheduled, type ScheduleOutcome, settleScheduled } from '../../db/queries/scheduled-sending.ts';
import type { DueAnswer, DueMessage } from '../../protocol/scheduled-messages.ts';
import { backoffDelay } from '../runtime/backoff.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';

export interface SchedulerPorts {
  readonly sql: Sql;
  /** Repeating it sends nothing again. Rejects where nobody knows what came of it. */
  readonly send: (due: DueMessage) => Promise<DueAnswer>;
  readonly random: () => number;
  /** Told of every message that is settled, or will be tried again. */
  readonly onSettled: (outcome: ScheduleOutcome['status'], due: DueMessage) => void;
  readonly onError: (error: unknown) => void;
}

/** Sent at a time by a process. */
const MOST = 32;
/** Longer than a call may take, with what is stored after it. A process that dies leaves its messages to others after so long, in milliseconds. */
const LEASE_MS = 30_000;
const RETRY = { first: 500, most: 15_000 };

/**
 * Sends scheduled messages when they are due. Any number may run: each message is leased to one at a time. One that dies between sending and storing has sent what another will send
 * again, under the same `client_msg_id`, by which the channel knows it (G2).
 */
export function createScheduler(ports: SchedulerPorts): Service {
  const underWay = new Set<Promise<void>>();
  let hasSettled = false;

  function start(claimed: ClaimedMessage, lease: string): void {
    const work = deliver(ports, claimed, lease).catch(ports.onError).finally(() => {
      underWay.delete(work);
      hasSettled = true;
    });
    underWay.add(work);
  }

  /** What is settled lets the next one of its author and channel go. */
  async function step(): Promise<boolean> {
    if (underWay.size >= MOST) await Promise.race(underWay);
    const mayBeMore = hasSettled;
    hasSettled = false;
    const lease = randomUUID();
    const claimed = await claimScheduled(ports.sql, { lease, leaseMs: LEASE_MS, most: MOST - underWay.size });
    for (const message of claimed) start(message, lease);
    return claimed.length > 0 || mayBeMore;
  }

  return new Poller({
    name: 'message-scheduler',
    idle: { first: 50, most: 1_000 },
    failure: { first: 200, most: 5_000 },
    onError: ports.onError,
    step,
    release: async () => void (await Promise.all(underWay)),
  });
}

async function deliver({ sql, send, random, onSettled, onError }: SchedulerPorts, { attempts, ...due }: ClaimedMessage, lease: string): Promise<void> {
  const answer = await send(due).catch((error: unknown): DueAnswer => {
    onError(error);
    return { status: 'unavailable' };
  });
  const outcome = outcomeOf(answer, attempts, random);
  await settleScheduled(sql, { id: due.id, lease }, outcome);
  onSettled(outcome.status, due);
}

function outcomeOf(answer: DueAnswer, attempts: number, random: () => number): ScheduleOutcome {
  if (answer.status === 'sent') return { status: 'sent', messageId: answer.message_id };
  if (answer.status === 'refused') return { status: 'failed', failure: answer.failure };
  return { status: 'later', afterMs: backoffDelay(RETRY, attempts, random), isUnknown: answer.status !== 'backlogged' };
}
