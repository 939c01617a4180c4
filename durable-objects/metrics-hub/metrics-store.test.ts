import { beforeEach, describe, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { MetricsReport } from './metrics-api.ts';
import { MetricsStore } from './metrics-store.ts';

const NOW = 1_000_000;
let sql: SqlDriver;
let store: MetricsStore;
beforeEach(() => {
  sql = nodeSqlite();
  store = new MetricsStore(sql);
});

const lines = (): string[] => store.render(NOW).split('\n');
const sample = (series: string): string | undefined => lines().find((line) => line.startsWith(`${series} `))?.slice(series.length + 1);
const lagOf = (source: string, value: number | null): MetricsReport => ({ source, gauges: [{ name: 'colink_room_drain_lag_seconds', value }] });

describe('MetricsStore', () => {
  it('describes every metric', () => {
    expect(lines()).toContain('# TYPE colink_room_drain_lag_seconds gauge');
    expect(lines()).toContain('# TYPE colink_http_request_duration_seconds histogram');
    expect(lines().at(-1)).toBe('');
  });

  it('adds counters up, over reports and over its own restarts', () => {
    for (const source of ['a', 'b']) store.add({ source, counters: [{ name: 'colink_room_events_appended_total', add: 3 }] }, NOW);
    expect(sample('colink_room_events_appended_total')).toBe('6');
    new MetricsStore(sql).add({ source: 'a', counters: [{ name: 'colink_room_events_appended_total', add: 1 }] }, NOW);
    expect(sample('colink_room_events_appended_total')).toBe('7');
  });

  it('writes counters at once, but then once in 10 s, or when they are read', () => {
    const count = (now: number) => store.add({ source: 'a', counters: [{ name: 'colink_room_commits_total', add: 1 }] }, now);
    const stored = () => sql.all<{ value: number }>('SELECT value FROM counters')[0]?.value;
    count(NOW);
    count(NOW + 1_000);
    count(NOW + 9_999);
    expect(stored()).toBe(1);
    count(NOW + 10_000);
    expect(stored()).toBe(4);
    count(NOW + 10_001);
    expect([sample('colink_room_commits_total'), stored()]).toEqual(['5', 5]);
  });

  it('labels series as the catalog says, and escapes', () => {
    const labels = { status: '200', route: 'a"\\\n', method: 'GET', other: 'x' };
    store.add({ source: 'a', counters: [{ name: 'colink_http_requests_total', labels, add: 1 }] }, NOW);
    expect(lines()).toContain('colink_http_requests_total{route="a\\"\\\\\\n",method="GET",status="200"} 1');
  });

  it('makes cumulative buckets of observations', () => {
    const observe = (value: number) => ({ name: 'colink_http_request_duration_seconds', labels: { route: '/', method: 'GET' }, value }) as const;
    store.add({ source: 'a', observations: [observe(0.004), observe(0.2), observe(60)] }, NOW);
    const of = (suffix: string, le?: string) => sample(`colink_http_request_duration_seconds_${suffix}{route="/",method="GET"${le === undefined ? '' : `,le="${le}"`}}`);
    expect([of('bucket', '0.005'), of('bucket', '0.25'), of('bucket', '10'), of('bucket', '+Inf'), of('count')]).toEqual(['1', '2', '2', '3', '3']);
    expect(Number(of('sum'))).toBeCloseTo(60.204);
  });

  it('sums and maximises the newest gauges of all sources', () => {
    const report = (source: string, value: number): MetricsReport => ({ source, gauges: [{ name: 'colink_room_sockets', value }, { name: 'colink_room_sockets_max', value }] });
    for (const [source, value] of [['a', 5], ['b', 7], ['a', 2]] as const) store.add(report(source, value), NOW);
    expect([sample('colink_room_sockets'), sample('colink_room_sockets_max')]).toEqual(['9', '7']);
  });

  it('knows which rooms and inboxes have sockets, by what they last said', () => {
    const said = (source: string, name: 'colink_room_sockets' | 'colink_inbox_sockets', value: number | null) => store.add({ source, gauges: [{ name, value }] }, NOW);
    for (const [source, value] of [['room-b', 2], ['room-a', 1], ['room-a:2', 7], ['room-c', 4], ['room-c', 0]] as const) said(source, 'colink_room_sockets', value);
    for (const [source, value] of [['inbox u', 1], ['inbox v', 3], ['inbox v', null]] as const) said(source, 'colink_inbox_sockets', value);
    expect(store.listening(null, 10)).toEqual({ channel_ids: ['room-a', 'room-b'], user_ids: ['u'], next: null });
    const first = store.listening(null, 1);
    expect(first).toMatchObject({ channel_ids: ['room-a'], user_ids: [] });
    expect(store.listening(first.next, 2)).toEqual({ channel_ids: ['room-b'], user_ids: ['u'], next: null });
  });

  it('shows the greatest lag, which grows while its room is silent, until the room takes it back', () => {
    store.add(lagOf('a', NOW - 40_000), NOW - 39_000);
    store.add(lagOf('b', NOW - 5_000), NOW);
    expect(sample('colink_room_drain_lag_seconds')).toBe('40');
    store.add(lagOf('a', null), NOW);
    expect(sample('colink_room_drain_lag_seconds')).toBe('5');
    store.add(lagOf('b', null), NOW);
    expect(sample('colink_room_drain_lag_seconds')).toBe('0');
  });

  it('drops what the catalog does not know, and series beyond 5,000 (G8)', () => {
    const forged = JSON.parse('{"source":"a","counters":[{"name":"colink_nonsense","add":1}]}') as MetricsReport;
    store.add(forged, NOW);
    expect(store.render(NOW)).not.toContain('nonsense');
    for (let page = 0; page < 12; page++) {
      const counters = Array.from({ length: 500 }, (_, n) => ({ name: 'colink_rate_limited_total', labels: { policy: `p${page}-${n}` }, add: 1 }) as const);
      store.add({ source: 'a', counters }, NOW);
    }
    expect(lines().filter((line) => line.startsWith('colink_rate_limited_total{'))).toHaveLength(5_000);
  });
});
