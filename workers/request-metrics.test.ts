import { expect, it } from 'vitest';
import { RequestMetrics } from './request-metrics.ts';

it('reports sums of requests and each duration, when it is time', () => {
  let now = 10_000;
  const metrics = new RequestMetrics(() => now);
  metrics.record('/v1/me', 'GET', 200, 0.01);
  expect(metrics.take()).toMatchObject({ observations: [{ value: 0.01 }] });
  metrics.record('/v1/me', 'GET', 200, 0.02);
  metrics.record('/v1/me', 'GET', 200, 0.03);
  metrics.recordLimited('read');
  expect(metrics.take()).toBeNull();
  now += 5_000;
  expect(metrics.take()).toEqual({
    source: expect.stringMatching(/^worker-/),
    counters: [
      { name: 'colink_http_requests_total', labels: { route: '/v1/me', method: 'GET', status: '200' }, add: 2 },
      { name: 'colink_rate_limited_total', labels: { policy: 'read' }, add: 1 },
    ],
    observations: [0.02, 0.03].map((value) => ({ name: 'colink_http_request_duration_seconds', labels: { route: '/v1/me', method: 'GET' }, value })),
  });
});

it('G8: reports before it holds more than a report takes', () => {
  const metrics = new RequestMetrics(() => 1);
  for (let n = 0; n < 199; n++) metrics.record('/v1/me', 'GET', 200, 0.01);
  expect(metrics.take()).toBeNull();
  metrics.record('/v1/me', 'GET', 200, 0.01);
  expect(metrics.take()?.observations).toHaveLength(200);
});
