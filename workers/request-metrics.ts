import type { BUCKETS } from '../durable-objects/metrics-hub/catalog.ts';
import type { MetricsReport } from '../durable-objects/metrics-hub/metrics-api.ts';
import type { CacheLevel } from './cache/profile-cache.ts';
import type { PrimaryReason } from './replica/fitness.ts';

/** A report leaves with the first request after this many milliseconds, or when it holds this many samples. */
const REPORT_MS = 5_000;
const REPORT_SAMPLES = 200;

/** The hub's buckets; the type holds them to it, the value cannot be imported. */
const BOUNDS: typeof BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type Counter = NonNullable<MetricsReport['counters']>[number];
type Observation = NonNullable<MetricsReport['observations']>[number];
interface Durations {
  readonly name: Observation['name'];
  readonly labels: Record<string, string>;
  times: number;
  sum: number;
}

/**
 * Gathers what an isolate has to say of its requests, and says when to report it. Durations of one bucket are added up, because the hub's work
 * would else be more than the requests' own.
 */
export class RequestMetrics {
  readonly #now: () => number;
  #counters = new Map<string, { -readonly [K in keyof Counter]: Counter[K] }>();
  #durations = new Map<string, Durations>();
  #reportedAt = 0;
  #source = '';

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `seconds` from a request to its response. */
  record(route: string, method: string, status: number, seconds: number): void {
    this.#count('colink_http_requests_total', { route, method, status: String(status) });
    this.#observe('colink_http_request_duration_seconds', { route, method }, seconds);
  }

  recordLimited(policy: string): void {
    this.#count('colink_rate_limited_total', { policy });
  }

  /** A read that a replica may answer. Null: it did. */
  recordRead(reason: PrimaryReason | null): void {
    this.#count('colink_postgres_reads_total', { server: reason === null ? 'replica' : 'primary', reason: reason ?? '' });
  }

  /** A look-up in the cache of profiles. */
  recordLookup(level: CacheLevel): void {
    this.#count('colink_cache_lookups_total', { level });
  }

  recordReplicaLag(milliseconds: number): void {
    if (Number.isFinite(milliseconds)) this.#observe('colink_postgres_replica_lag_seconds', {}, milliseconds / 1_000);
  }

  /** What is due to be reported; null while nothing is. What is taken is not kept: a lost report is lost. */
  take(): MetricsReport | null {
    if (this.#durations.size + this.#counters.size < REPORT_SAMPLES && this.#now() - this.#reportedAt < REPORT_MS) return null;
    // The platform gives out random bytes within requests only.
    this.#source ||= `worker-${crypto.randomUUID()}`;
    const report = { source: this.#source, counters: [...this.#counters.values()], observations: [...this.#durations.values()].map(observation) };
    this.#counters = new Map();
    this.#durations = new Map();
    this.#reportedAt = this.#now();
    return report;
  }

  #observe(name: Observation['name'], labels: Record<string, string>, seconds: number): void {
    const key = `${name} ${Object.values(labels).join(' ')} ${BOUNDS.findIndex((bound) => seconds <= bound)}`;
    const known = this.#durations.get(key);
    if (known) {
      known.times += 1;
      known.sum += seconds;
    } else this.#durations.set(key, { name, labels, times: 1, sum: seconds });
  }

  #count(name: Counter['name'], labels: Record<string, string>): void {
    const key = `${name} ${Object.values(labels).join(' ')}`;
    const known = this.#counters.get(key);
    if (known) known.add += 1;
    else this.#counters.set(key, { name, labels, add: 1 });
  }
}

const observation = ({ name, labels, times, sum }: Durations): Observation => ({ name, labels, value: sum / times, times });
