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
