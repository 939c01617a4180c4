import type { SqlDriver } from '../log/sql-driver.ts';
import { BUCKETS, type GaugeName, METRICS, type MetricName } from './catalog.ts';
import type { Listening, MetricsReport } from './metrics-api.ts';

const MAX_SAMPLES = 500;
/** Time series of counters; and sources whose gauges are kept. Past either, new ones are dropped, and old sources are replaced. */
const MAX_SERIES = 5_000;
const MAX_SOURCES = 10_000;
const MAX_LABEL = 120;
/** Counters are written no more often, and when they are read: each row written is billed, and rooms report whenever they fall quiet. */
const WRITE_EVERY_MS = 10_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS counters (series TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS gauges (source TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (source, name)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS gauges_at ON gauges (name, at);`;

type Labels = Readonly<Record<string, string>>;

const CHANNEL = 'channel:';
const USER = 'user:';
const idsOf = (keys: readonly string[], kind: string): string[] => keys.filter((key) => key.startsWith(kind)).map((key) => key.slice(kind.length));

/**
 * Sums of all reports. In SQLite, for the object may be evicted between two scrapes; a gauge stays until its source takes it back or
 * reports another, so the lag of a room that died silently goes on growing. What was counted in the 10 s after counters were written waits in memory for the next report or scrape:
 * an eviction in between loses it, as it loses a report on its way.
 */
export class MetricsStore {
  readonly #sql: SqlDriver;
  /** What was counted since, by series. */
  readonly #waiting = new Map<string, number>();
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  add(report: MetricsReport, now: number): void {
    this.#sql.transaction(() => {
      const { counters = [], observations = [], gauges = [] } = report;
      for (const { name, labels, add } of counters.slice(0, MAX_SAMPLES)) if (isKnown(name, 'counter')) this.#count(seriesOf(name, name, labels), add);
      for (const { name, labels, value, times } of observations.slice(0, MAX_SAMPLES)) if (isKnown(name, 'histogram')) this.#observe(name, value, labels, times);
      for (const { name, value } of gauges.slice(0, MAX_SAMPLES)) if (isKnown(name, 'gauge')) this.#set(report.source, name, value, now);
    });
    if (now - this.#writtenAt >= WRITE_EVERY_MS) this.#write(now);
  }

  /** Prometheus text format 0.0.4. `now` in epoch milliseconds. */
  render(now: number): string {
    this.#write(now);
    const counters = this.#sql.all<{ series: string; value: number }>('SELECT series, value FROM counters ORDER BY series');
    return `${(Object.keys(METRICS) as MetricName[]).map((name) => this.#family(name, counters, now)).join('\n')}\n`;
  }

  /** As `MetricsApi`. An object that comes or goes between two calls moves none of the others. */
  listening(after: string | null, limit: number): Listening {
    // A node reports as `<channel>:<number>`, and is reached by its room.
    const channels = this.#sourcesOf('colink_room_sockets').map((source) => CHANNEL + source.replace(/:\d+$/, ''));
    const users = this.#sourcesOf('colink_inbox_sockets').map((source) => USER + source.replace('inbox ', ''));
    const left = [...new Set([...channels, ...users])].filter((key) => after === null || key > after).toSorted();
    const page = left.slice(0, limit);
    return { channel_ids: idsOf(page, CHANNEL), user_ids: idsOf(page, USER), next: left.length > limit ? (page.at(-1) ?? null) : null };
  }

  #sourcesOf(name: GaugeName): string[] {
    return this.#sql.all<{ source: string }>('SELECT source FROM gauges WHERE name = ? AND value > 0 ORDER BY source', name).map(({ source }) => source);
  }

  #family(name: MetricName, counters: readonly { series: string; value: number }[], now: number): string {
    const { type, help } = METRICS[name];
    const samples = type === 'gauge' ? [`${name} ${this.#gauge(name, now)}`] : counters.filter(({ series }) => familyOf(series) === name).map(line);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples].join('\n');
  }

  #gauge(name: MetricName, now: number): number {
    const [row] = this.#sql.all<{ sum: number; max: number; min: number | null }>(
      'SELECT total(value) AS sum, coalesce(max(value), 0) AS max, min(value) AS min FROM gauges WHERE name = ?', name,
    );
    const metric = METRICS[name];
    if (row === undefined || metric.type !== 'gauge') return 0;
    if (metric.of === 'age') return row.min === null ? 0 : Math.max(0, now - row.min) / 1_000;
    return metric.of === 'max' ? row.max : row.sum;
  }

  #observe(name: MetricName, value: number, labels: Labels = {}, times = 1): void {
    for (const bound of BUCKETS) this.#count(seriesOf(name, `${name}_bucket`, labels, String(bound)), value <= bound ? times : 0);
    this.#count(seriesOf(name, `${name}_bucket`, labels, '+Inf'), times);
    this.#count(seriesOf(name, `${name}_sum`, labels), value * times);
    this.#count(seriesOf(name, `${name}_count`, labels), times);
  }

  #count(series: string, add: number): void {
    const waiting = this.#waiting.get(series);
    if (waiting !== undefined || this.#waiting.size < MAX_SERIES) this.#waiting.set(series, (waiting ?? 0) + add);
  }

  #write(now: number): void {
    this.#sql.transaction(() => this.#waiting.forEach((add, series) => this.#add(series, add)));
    this.#waiting.clear();
    this.#writtenAt = now;
  }

  #add(series: string, add: number): void {
    const [known] = this.#sql.all('UPDATE counters SET value = value + ? WHERE series = ? RETURNING series', add, series);
    if (known !== undefined) return;
    const [{ count } = { count: 0 }] = this.#sql.all<{ count: number }>('SELECT count(*) AS count FROM counters');
    if (count < MAX_SERIES) this.#sql.run('INSERT INTO counters (series, value) VALUES (?, ?)', series, add);
  }

  #set(source: string, name: MetricName, value: number | null, now: number): void {
    if (value === null) return void this.#sql.run('DELETE FROM gauges WHERE source = ? AND name = ?', source, name);
    const [known] = this.#sql.all('UPDATE gauges SET value = ?, at = ? WHERE source = ? AND name = ? RETURNING name', value, now, source, name);
    if (known !== undefined) return;
    this.#sql.run('INSERT INTO gauges (source, name, value, at) VALUES (?, ?, ?, ?)', source, name, value, now);
    this.#sql.run('DELETE FROM gauges WHERE name = ? AND source IN (SELECT source FROM gauges WHERE name = ? ORDER BY at DESC LIMIT -1 OFFSET ?)', name, name, MAX_SOURCES);
  }
}

const isKnown = (name: string, type: 'counter' | 'histogram' | 'gauge'): name is MetricName =>
  Object.hasOwn(METRICS, name) && METRICS[name as MetricName].type === type;

/** The labels of the catalog, in its order; those a report leaves out are empty, others are dropped. */
function seriesOf(family: MetricName, name: string, labels: Labels = {}, bucket?: string): string {
  const pairs = METRICS[family].labels.map((label) => `${label}="${escaped(labels[label] ?? '')}"`);
  if (bucket !== undefined) pairs.push(`le="${bucket}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}

const escaped = (value: string): string =>
  value.slice(0, MAX_LABEL).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

const familyOf = (series: string): string => {
  const name = series.split('{', 1)[0] ?? '';
  return Object.hasOwn(METRICS, name) ? name : name.replace(/_(bucket|sum|count)$/, '');
};

const line = ({ series, value }: { series: string; value: number }): string => `${series} ${value}`;
