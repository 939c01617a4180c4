import { randomUUID } from 'node:crypto';
import type { Sql } from '../../db/client.ts';
import {
  claimSubscriptions, type ClaimedSubscription, dropSubscription, PUSH_NEWS_SECONDS, type PushRelease, readPushedNotice, releaseSubscription, settlePush, takeWaiting, type WaitingPush,
} from '../../db/queries/push-sending.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import type { NotificationSender, Verdict } from './port.ts';
import { payloadOf, type Refusal, refusalOf } from './push-payload.ts';
import type { Push } from './web-push.ts';

export type PushOutcome = 'sent' | 'retried' | 'refused' | 'dropped';
/** Why a subscription is there no more. */
export type PushEnd = 'gone' | 'ended' | 'failing';

export interface PushServicePorts {
  readonly sql: Sql;
  readonly sender: NotificationSender<Push>;
  readonly now: () => number;
  readonly random: () => number;
  /** Told of every push that is settled, or will be tried again. `cause`: of a refusal. */
  readonly onSettled: (outcome: PushOutcome, subscription: ClaimedSubscription, cause: string | null) => void;
  readonly onEnded: (why: PushEnd) => void;
  readonly onError: (error: unknown) => void;
}

/** Browsers that a process sends to at a time. */
const MOST = 128;
/** Longer than a claim may take: who begins no attempt past `SERVE_MS` is through with the last, of 10 s at most, well before. A process that dies leaves its claims to others after so long. */
const LEASE_MS = 60_000;
const SERVE_MS = 30_000;
/** Sent in one claim, one after the other. */
const BATCH = 10;
/** A notice is news for a day. Of those that wait for a browser the newest 50 are kept. */
const BOUNDS = { maxAgeSeconds: PUSH_NEWS_SECONDS, mostWaiting: 50, most: BATCH };
/** Milliseconds from each failed attempt to the next; past the last, as that. Sooner than a webhook's: who is told of a mention a day late need not be told. */
const WAITS_MS = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000];
const JITTER = 0.1;
/** A subscription of which every attempt has failed for so long is deleted. */
const FAILING_MS = 5 * 86_400_000;

/** Milliseconds to wait after the `failures`-th failure in a row. Never sooner than was asked for. */
export function waitAfter(failures: number, askedMs: number | null, random: () => number): number {
  const wait = WAITS_MS[Math.min(failures, WAITS_MS.length) - 1] ?? 0;
  return Math.max(wait * (1 + JITTER * random()), askedMs ?? 0);
}

/**
 * Sends pushes. Any number may run: each subscription is leased to one at a time, so a browser is told in the order of its notices, and one that fails holds up nobody. A process
 * that dies between sending and storing has sent what another will send again, with the same id: the push service and the browser show it once.
 *
 *     due ──claimed──▶ leased ──nothing waits──▶ idle ──noted──▶ due
 *      ▲                 │  └──404, 410, or its credential has ended──▶ deleted
 *      └──the lease ends─┴──an attempt failed: later──▶ due
 */
export function createPushService(ports: PushServicePorts): Service {
  const underWay = new Set<Promise<void>>();
  const ending = new AbortController();
  let isEnding = false;

  function start(subscription: ClaimedSubscription, lease: string): void {
    const work = serve(ports, subscription, { lease, signal: ending.signal, isEnding: () => isEnding }).catch(ports.onError).finally(() => underWay.delete(work));
    underWay.add(work);
  }

  return new Poller({
    name: 'push-sender',
    idle: { first: 50, most: 1_000 },
    failure: { first: 200, most: 5_000 },
    onError: ports.onError,
    step: async () => {
      if (underWay.size >= MOST) await Promise.race(underWay);
      const lease = randomUUID();
      const claimed = await claimSubscriptions(ports.sql, { lease, leaseMs: LEASE_MS, most: MOST - underWay.size });
      for (const subscription of claimed) start(subscription, lease);
      return claimed.length > 0;
    },
    release: async (hard) => {
      isEnding = true;
      if (hard) ending.abort();
      await Promise.all(underWay);
    },
  });
}

interface Claim {
  readonly lease: string;
  readonly signal: AbortSignal;
  /** No more is to be begun. */
  readonly isEnding: () => boolean;
}

/** Sends what waits for one browser, until something fails. */
async function serve(ports: PushServicePorts, subscription: ClaimedSubscription, claim: Claim): Promise<void> {
  const { sql, onSettled } = ports;
  const until = ports.now() + SERVE_MS;
  const { pushes, dropped } = await takeWaiting(sql, subscription.id, BOUNDS);
  for (let n = 0; n < dropped; n += 1) onSettled('dropped', subscription, null);
  let release: Release = { failures: null, afterMs: 0 };
  for (const push of pushes) {
    if (claim.isEnding() || ports.now() > until) break;
    const verdict = await sendOne(ports, subscription, push, claim.signal);
    // Cut off by this process, which says nothing of the other side.
    if (claim.signal.aborted && verdict.kind === 'later') break;
    if (verdict.kind === 'gone') return end(ports, subscription, verdict.why);
    release = releaseAfter(verdict, release, subscription, ports.random);
    if (verdict.kind === 'later') break;
  }
  const failingMs = await sql.begin((tx) => releaseSubscription(tx, subscription.id, { ...release, lease: claim.lease }));
  if (failingMs >= FAILING_MS) await end(ports, subscription, 'failing');
}

type Sent = Exclude<Verdict, { kind: 'gone' }> | { readonly kind: 'gone'; readonly why: PushEnd } | { readonly kind: 'dropped'; readonly why: Refusal | 'undone' };

async function sendOne({ sql, sender, now, onSettled }: PushServicePorts, subscription: ClaimedSubscription, push: WaitingPush, signal: AbortSignal): Promise<Sent> {
  const notice = await readPushedNotice(sql, subscription.id, push);
  const why = notice === null ? 'undone' : refusalOf(notice, now());
  if (why === 'ended') return { kind: 'gone', why };
  if (notice === null || why !== null) {
    await settlePush(sql, subscription.id, push.notice_id, 'dropped');
    onSettled('dropped', subscription, why);
    return { kind: 'dropped', why: why ?? 'undone' };
  }
  const ageSeconds = Math.max(0, (now() - Date.parse(notice.created_at)) / 1_000);
  const verdict = await sender.send({ to: subscription, payload: payloadOf(notice), ttlSeconds: Math.max(60, Math.round(PUSH_NEWS_SECONDS - ageSeconds)) }, signal);
  if (verdict.kind === 'gone') return { kind: 'gone', why: 'gone' };
  if (verdict.kind !== 'later') await settlePush(sql, subscription.id, push.notice_id, verdict.kind === 'sent' ? 'sent' : 'dropped');
  onSettled(verdict.kind === 'later' ? 'retried' : verdict.kind, subscription, verdict.kind === 'refused' ? verdict.cause : null);
  return verdict;
}

type Release = Omit<PushRelease, 'lease'>;

/** Where nobody was asked, it says nothing of the subscription. */
function releaseAfter(verdict: Exclude<Sent, { kind: 'gone' }>, before: Release, subscription: ClaimedSubscription, random: () => number): Release {
  if (verdict.kind === 'dropped') return before;
  if (verdict.kind !== 'later') return { failures: 0, afterMs: 0 };
  if (verdict.cause === 'held') return { ...before, afterMs: (verdict.afterMs ?? 0) * (1 + JITTER * random()) };
  const failures = (before.failures ?? subscription.failures) + 1;
  return { failures, afterMs: waitAfter(failures, verdict.afterMs, random) };
}

async function end({ sql, onEnded }: PushServicePorts, { id }: ClaimedSubscription, why: PushEnd): Promise<void> {
  await dropSubscription(sql, id);
  onEnded(why);
}
