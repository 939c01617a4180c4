import { expect, it } from 'vitest';
import { RoomMetrics } from './room-metrics.ts';

const quiet = { sockets: 2, watchers: 1, undrained: 0, undrainedSince: null };

it('adds counts up by name and labels, and begins anew after each report', () => {
  const metrics = new RoomMetrics('room');
  metrics.count('colink_room_events_appended_total', 3);
  metrics.count('colink_room_events_appended_total', 4);
  metrics.count('colink_room_commands_refused_total', 1, { code: 'conflict' });
  metrics.count('colink_room_commands_refused_total', 1, { code: 'forbidden' });
  expect(metrics.take(quiet, 10_000, false)?.counters).toEqual([
    { name: 'colink_room_events_appended_total', labels: {}, add: 7 },
    { name: 'colink_room_commands_refused_total', labels: { code: 'conflict' }, add: 1 },
    { name: 'colink_room_commands_refused_total', labels: { code: 'forbidden' }, add: 1 },
  ]);
  expect(metrics.take(quiet, 20_000, false)).toBeNull();
});

it('reports at most once in 5 s, but always before it rests (G8)', () => {
  const metrics = new RoomMetrics('room');
  metrics.take(quiet, 10_000, false);
  metrics.count('colink_room_commits_total');
  expect(metrics.take(quiet, 14_999, false)).toBeNull();
  expect(metrics.take(quiet, 14_999, true)?.counters).toHaveLength(1);
});

it('reports gauges that have changed', () => {
  const metrics = new RoomMetrics('room');
  expect(metrics.take(quiet, 10_000, true)?.gauges).toHaveLength(5);
  expect(metrics.take({ ...quiet, undrained: 1, undrainedSince: 9_000 }, 11_000, true)?.gauges).toEqual([
    { name: 'colink_room_undrained_events', value: 1 },
    { name: 'colink_room_drain_lag_seconds', value: 9_000 },
  ]);
});
