import type { DeliveryFailure } from '../../protocol/webhooks.ts';

const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000];

/** Milliseconds from each failed attempt to the next, as Standard Webhooks 1.0 recommends; the first attempt is made at once. */
const RETRIES = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
export const MAX_ATTEMPTS = RETRIES.length + 1;
/** Part of each wait that is random, so that what failed together does not come back together. */
const JITTER = 0.1;
/** What an endpoint may ask for by `Retry-After`, at most. */
const MOST_RETRY_AFTER = HOUR;
/** A webhook of which every attempt has failed for so long is disabled. */
const FAILING_MS = 5 * 24 * HOUR;
/** From so many failures in a row on, an endpoint is tried with one delivery at a time, after a wait that grows with the time it has been failing. */
export const BREAK_AFTER = 5;
const BREAK = { first: 30 * SECOND, most: 5 * MINUTE };

/** What an endpoint answered, or why it did not. `retryAfterMs`: what it asked for. */
export type Attempt =
  | { readonly kind: 'answered'; readonly status: number; readonly latencyMs: number; readonly retryAfterMs: number | null }
  | { readonly kind: 'failed'; readonly failure: Exclude<DeliveryFailure, 'status' | 'redirect'>; readonly latencyMs: number | null };

export type Verdict =
  | { readonly kind: 'delivered' }
  /** `blockMs`: the endpoint asked to be left alone for so long, or null. */
  | { readonly kind: 'failed'; readonly failure: DeliveryFailure; readonly isGone: boolean; readonly blockMs: number | null };

/** Only 2xx is a delivery: who redirects is not followed, for where to is nobody's word. */
export function judge(attempt: Attempt): Verdict {
  if (attempt.kind === 'failed') return { kind: 'failed', failure: attempt.failure, isGone: false, blockMs: null };
  const { status, retryAfterMs } = attempt;
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const isBusy = status === 429 || status === 503;
  const blockMs = isBusy && retryAfterMs !== null ? Math.min(Math.max(retryAfterMs, 0), MOST_RETRY_AFTER) : null;
  return { kind: 'failed', failure: status >= 300 && status < 400 ? 'redirect' : 'status', isGone: status === 410, blockMs };
}

/** Milliseconds until the attempt after the `attempts`-th, which failed; null: that was the last. Never sooner than the endpoint asked for. */
export function nextDelay(attempts: number, blockMs: number | null, random: () => number): number | null {
  const wait = RETRIES[attempts - 1];
  return wait === undefined ? null : Math.max(wait * (1 + JITTER * random()), blockMs ?? 0);
}

/** Milliseconds for which nothing is sent to an endpoint after its `failures`-th failure in a row, the first of them `failingMs` ago; null: it is not held back. */
export function breakFor(failures: number, failingMs: number, blockMs: number | null): number | null {
  const broken = failures < BREAK_AFTER ? 0 : Math.min(Math.max(failingMs / 10, BREAK.first), BREAK.most);
  const wait = Math.max(broken, blockMs ?? 0);
  return wait === 0 ? null : wait;
}

export const isGivenUp = (failingMs: number): boolean => failingMs >= FAILING_MS;

/** `Retry-After` in milliseconds from `now`: seconds, or a date (RFC 9110, section 10.2.3). Null for anything else. */
export function parseRetryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * SECOND;
  const at = /^[A-Z][a-z]{2}, /.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
