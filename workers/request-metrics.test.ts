import { expect, it } from 'vitest';
import { RequestMetrics } from './request-metrics.ts';

it('reports sums of requests, and durations by bucket, when it is time', () => {
  let now = 10_000;
  const metrics = new RequestMetrics(() => now);
  metrics.record('/v1/me', 'GET', 200, 0.01);
  expect(metrics.take()).toMatchObject({ observations: [{ value: 0.01, times: 1 }] });
  for (const seconds of [0.02, 0.024, 0.03]) metrics.record('/v1/me', 'GET', 200, seconds);
  metrics.record('/v1/me', 'GET', 503, 11);
  metrics.recordLimited('read');
  expect(metrics.take()).toBeNull();
  now += 5_000;
  const labels = { route: '/v1/me', method: 'GET' };
  expect(metrics.take()).toEqual({
    source: expect.stringMatching(/^worker-/),
    counters: [
      { name: 'colink_http_requests_total', labels: { ...labels, status: '200' }, add: 3 },
      { name: 'colink_http_requests_total', labels: { ...labels, status: '503' }, add: 1 },
      { name: 'colink_rate_limited_total', labels: { policy: 'read' }, add: 1 },
    ],
    observations: [[0.022, 2], [0.03, 1], [11, 1]].map(([value, times]) => ({ name: 'colink_http_request_duration_seconds', labels, value, times })),
  });
});

it('G8: reports before it holds more than a report takes', () => {
  const metrics = new RequestMetrics(() => 1);
  for (let n = 0; n < 99; n++) metrics.record(`/${n}`, 'GET', 200, 0.01);
  expect(metrics.take()).toBeNull();
  metrics.record('/99', 'GET', 200, 0.01);
  expect(metrics.take()?.observations).toHaveLength(100);
});
