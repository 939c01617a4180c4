import { describe, expect, it } from 'vitest';
import { type Attempt, breakFor, isGivenUp, judge, MAX_ATTEMPTS, nextDelay, parseRetryAfter } from './schedule.ts';

const answered = (status: number, retryAfterMs: number | null = null): Attempt => ({ kind: 'answered', status, latencyMs: 1, retryAfterMs });
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

describe('the retry table', () => {
  it('is that of Standard Webhooks, then there is no more', () => {
    const waits = Array.from({ length: MAX_ATTEMPTS }, (_, n) => nextDelay(n + 1, null, () => 0));
    expect(waits).toEqual([...[5, 300, 1_800].map((seconds) => seconds * SECOND), ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR), null]);
  });

  it('has a tenth of jitter, upwards', () => {
    expect(nextDelay(1, null, () => 0.999)).toBeGreaterThan(5_400);
    expect(nextDelay(1, null, () => 0.999)).toBeLessThan(5_500);
  });

  it('waits at least as long as the endpoint asks for', () => {
    expect(nextDelay(1, 60_000, () => 0)).toBe(60_000);
    expect(nextDelay(9, 60_000, () => 0)).toBe(24 * HOUR);
    expect(nextDelay(MAX_ATTEMPTS, 60_000, () => 0)).toBeNull();
  });
});

describe('an attempt', () => {
  it.each([200, 201, 204, 299])('is a delivery by %i', (status) => {
    expect(judge(answered(status))).toEqual({ kind: 'delivered' });
  });

  it.each([[301, 'redirect'], [307, 'redirect'], [304, 'redirect'], [400, 'status'], [404, 'status'], [410, 'status'], [500, 'status'], [199, 'status']])('fails by %i', (status, failure) => {
    expect(judge(answered(status, 5_000))).toEqual({ kind: 'failed', failure, isGone: status === 410, blockMs: null });
  });

  it.each([429, 503])('is put off by %i as long as is asked for, an hour at most', (status) => {
    expect([null, 0, 5_000, 30 * HOUR].map((ms) => judge(answered(status, ms)))).toMatchObject([null, 0, 5_000, HOUR].map((blockMs) => ({ blockMs })));
  });

  it('fails by what kept it from an answer', () => {
    expect(judge({ kind: 'failed', failure: 'timeout', latencyMs: 15_000 })).toEqual({ kind: 'failed', failure: 'timeout', isGone: false, blockMs: null });
  });
});

describe('the breaker of an endpoint', () => {
  it('opens at the fifth failure in a row, for 30 s, and for longer the longer it fails, five minutes at most', () => {
    expect(breakFor(4, HOUR, null)).toBeNull();
    expect([0, 60, 600, 3_600, 100_000].map((seconds) => breakFor(5, seconds * SECOND, null))).toEqual([30, 30, 60, 300, 300].map((seconds) => seconds * SECOND));
  });

  it('keeps to what the endpoint asked for', () => {
    expect([breakFor(1, 0, 90_000), breakFor(9, 0, 90_000), breakFor(9, 0, 1_000)]).toEqual([90_000, 90_000, 30_000]);
  });

  it('gives up after five days', () => {
    expect([120 * HOUR - 1, 120 * HOUR].map(isGivenUp)).toEqual([false, true]);
  });
});

it.each([
  [undefined, null], ['', null], ['soon', null], ['-1', null], ['1.5', null], ['0', 0], ['120', 120_000], ['9999999999', null],
  ['Thu, 26 Nov 2026 12:00:30 GMT', 30_000], ['Thu, 26 Nov 2026 11:00:00 GMT', 0], ['2026-11-26T12:00:30Z', null],
])('Retry-After %j is %j', (header, ms) => {
  expect(parseRetryAfter(header, Date.parse('2026-11-26T12:00:00Z'))).toBe(ms);
});
