import { randomUUID } from 'node:crypto';
import type postgres from 'postgres';
import type { Sql } from '../../db/client.ts';
import { disableWebhook } from '../../db/queries/webhook-intake.ts';
import { blockWebhook, claimDeliveries, type ClaimedDelivery, noteFailure, noteSuccess, settleDelivery, type Settlement } from '../../db/queries/webhook-sending.ts';
import type { DisabledReason } from '../../protocol/webhooks.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import { bodyOf } from './payload.ts';
import type { Post } from './post.ts';
import { type Attempt, BREAK_AFTER, breakFor, isGivenUp, judge, nextDelay, type Verdict } from './schedule.ts';
import { Sending } from './sending.ts';
import { signatureHeaders } from './signature.ts';

export type SendOutcome = 'delivered' | 'retried' | 'failed' | 'cancelled';

export interface SenderPorts {
  readonly sql: Sql;
  readonly post: (message: Post, signal: AbortSignal) => Promise<Attempt>;
  readonly now: () => Date;
  readonly random: () => number;
  /** Told of every delivery that is settled, or will be tried again. */
  readonly onSettled: (outcome: SendOutcome) => void;
  readonly onDisabled: (webhook: Pick<ClaimedDelivery, 'webhook_id' | 'owner_id' | 'host'>, reason: DisabledReason) => void;
  readonly onError: (error: unknown) => void;
}

/** How much is sent at a time by a process: in all, for one owner, to one host. Who sends slowly holds up themselves. */
export const CONCURRENCY = { all: 256, perOwner: 8, perHost: 8 };
/** Longer than an attempt may take, with what is stored before and after it. A process that dies leaves its deliveries to others after so long, in milliseconds. */
const LEASE_MS = 60_000;
const IDLE = { first: 50, most: 1_000 };
const FAILURE = { first: 200, most: 5_000 };

/**
 * Sends what is due. Any number may run: each delivery is leased to one at a time. A process that dies between sending and storing has sent what another will send again, under the
 * same `webhook-id`: receivers get everything at least once, and know repetitions by it. Deliveries of a webhook are sent side by side, in no promised order.
 */
export function createSender(ports: SenderPorts, { all, perOwner, perHost } = CONCURRENCY): Service {
  const sending = new Sending();
  const ending = new AbortController();

  async function step(): Promise<boolean> {
    if (sending.size >= all) await sending.oneIsDone();
    const lease = randomUUID();
    const request = { now: ports.now(), lease, leaseMs: LEASE_MS, most: all - sending.size, perOwner, perHost, sending: sending.counts(), breakAfter: BREAK_AFTER };
    const claimed = await claimDeliveries(ports.sql, request);
    for (const delivery of claimed) sending.start(delivery, deliver(ports, delivery, lease, ending.signal).catch(ports.onError));
    return claimed.length > 0;
  }

  return new Poller({
    name: 'webhook-sender-deliveries',
    idle: IDLE,
    failure: FAILURE,
    onError: ports.onError,
    step,
    release: async (hard) => {
      if (hard) ending.abort();
      await sending.allAreDone();
    },
  });
}

async function deliver(ports: SenderPorts, delivery: ClaimedDelivery, lease: string, signal: AbortSignal): Promise<void> {
  if (delivery.refusal !== null) return cancel(ports, delivery, lease);
  const body = bodyOf(delivery);
  const secrets = delivery.previous_secret === null ? [delivery.secret] : [delivery.secret, delivery.previous_secret];
  const timestamp = Math.floor(ports.now().getTime() / 1_000);
  const attempt = await ports.post({ url: delivery.url, body, headers: signatureHeaders({ id: delivery.event_id, timestamp, body }, secrets) }, signal);
  // Cut off by this process, which is no failure of the endpoint: the lease ends, and another sends it.
  if (signal.aborted && attempt.kind === 'failed') return;
  await settle(ports, delivery, { lease, attempt, verdict: judge(attempt) });
}

async function cancel({ sql, now, onSettled }: SenderPorts, delivery: ClaimedDelivery, lease: string): Promise<void> {
  const { webhook_id, event_id, attempts, refusal } = delivery;
  const at = now();
  await sql.begin(async (tx) => {
    // What was to be the one attempt of a failing endpoint was none.
    await blockWebhook(tx, webhook_id, null);
    await settleDelivery(tx, { webhook_id, event_id, lease, status: 'cancelled', attempts, nextAt: null, lastStatus: null, latencyMs: null, failure: refusal }, at);
  });
  onSettled('cancelled');
}

interface Sent {
  readonly lease: string;
  readonly attempt: Attempt;
  readonly verdict: Verdict;
}

async function settle(ports: SenderPorts, delivery: ClaimedDelivery, sent: Sent): Promise<void> {
  const now = ports.now();
  const settlement = settlementOf(delivery, sent, now, ports.random);
  const disabled = await ports.sql.begin(async (tx) => {
    const reason = await noteVerdict(tx, delivery.webhook_id, sent.verdict, now);
    await settleDelivery(tx, settlement, now);
    return reason !== null && (await disableWebhook(tx, delivery.webhook_id, reason, now)) ? reason : null;
  });
  ports.onSettled(settlement.status === 'pending' ? 'retried' : settlement.status);
  if (disabled !== null) ports.onDisabled(delivery, disabled);
}

function settlementOf({ webhook_id, event_id, attempts: before }: ClaimedDelivery, { lease, attempt, verdict }: Sent, now: Date, random: () => number): Settlement {
  const attempts = before + 1;
  const lastStatus = attempt.kind === 'answered' ? attempt.status : null;
  const base = { webhook_id, event_id, lease, attempts, lastStatus, latencyMs: attempt.latencyMs };
  if (verdict.kind === 'delivered') return { ...base, status: 'delivered', nextAt: null, failure: null };
  const delay = verdict.isGone ? null : nextDelay(attempts, verdict.blockMs, random);
  const nextAt = delay === null ? null : new Date(now.getTime() + delay);
  return { ...base, status: nextAt === null ? 'failed' : 'pending', nextAt, failure: verdict.failure };
}

/** What an attempt says of its endpoint. Returns why the webhook is to be disabled, or null. */
async function noteVerdict(tx: postgres.TransactionSql, webhookId: string, verdict: Verdict, now: Date): Promise<DisabledReason | null> {
  if (verdict.kind === 'delivered') {
    await noteSuccess(tx, webhookId);
    return null;
  }
  const failing = await noteFailure(tx, webhookId, now);
  if (failing === null) return null;
  const failingMs = now.getTime() - failing.since.getTime();
  const blockMs = breakFor(failing.failures, failingMs, verdict.blockMs);
  if (blockMs !== null) await blockWebhook(tx, webhookId, new Date(now.getTime() + blockMs));
  if (verdict.isGone) return 'gone';
  return isGivenUp(failingMs) ? 'failing' : null;
}
