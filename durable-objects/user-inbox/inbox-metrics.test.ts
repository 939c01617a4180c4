import { expect, it } from 'vitest';
import { InboxMetrics } from './inbox-metrics.ts';

const drained = { kind: 'drained', events: 1, full: false } as const;
const lag = (value: number | null) => [{ name: 'colink_inbox_drain_lag_seconds', value }];

it('reports drains that fail and how late they are, until all is drained; and nothing of an inbox that does well', () => {
  const metrics = new InboxMetrics('u', false);
  expect(metrics.observe(drained, null)).toBeNull();
  expect(metrics.observe({ kind: 'narrowed', error: null }, 5)).toBeNull();
  expect(metrics.observe({ kind: 'failed', error: null }, 7)).toEqual({
    source: 'inbox u', counters: [{ name: 'colink_inbox_drain_failures_total', add: 1, labels: { kind: 'failed' } }], gauges: lag(7),
  });
  expect(metrics.observe({ kind: 'refused', status: 'gap', drainedSeq: 1 }, 7)?.counters).toMatchObject([{ labels: { kind: 'gap' } }]);
  expect(metrics.observe(drained, 9)).toEqual({ source: 'inbox u', counters: [], gauges: lag(9) });
  expect(metrics.observe({ kind: 'skipped', seq: 1, error: null }, 9)?.counters).toMatchObject([{ name: 'colink_inbox_poison_events_total' }]);
  expect(metrics.observe(drained, null)).toEqual({ source: 'inbox u', counters: [], gauges: lag(null) });
  expect(metrics.observe(drained, null)).toBeNull();
});

it('takes back what an earlier instance may have reported', () => {
  expect(new InboxMetrics('u', true).observe(drained, null)).toEqual({ source: 'inbox u', counters: [], gauges: lag(null) });
});

it('reports what it counts and how many sockets it has, where that has changed', () => {
  const metrics = new InboxMetrics('u', false);
  expect(metrics.take(0, 10_000, true)).toBeNull();
  metrics.count('colink_presence_transitions_total', 1, { to: 'online' });
  expect(metrics.take(1, 11_000, true)).toEqual({
    source: 'inbox u',
    counters: [{ name: 'colink_presence_transitions_total', add: 1, labels: { to: 'online' } }],
    gauges: [{ name: 'colink_inbox_sockets', value: 1 }],
  });
  expect(metrics.take(1, 20_000, true)).toBeNull();
  expect(metrics.take(0, 30_000, true)?.gauges).toEqual([{ name: 'colink_inbox_sockets', value: null }]);
});

it('does not repeat the sockets that an earlier instance has reported', () => {
  const metrics = new InboxMetrics('u', false);
  metrics.found(2);
  expect(metrics.take(2, 10_000, true)).toBeNull();
});
