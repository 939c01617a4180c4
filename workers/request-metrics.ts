import type { MetricsReport } from '../durable-objects/metrics-hub/metrics-api.ts';

/** A report leaves with the first request after this many milliseconds, or when this many requests have gathered. */
const REPORT_MS = 5_000;
const REPORT_REQUESTS = 200;

type Counters = NonNullable<MetricsReport['counters']>[number];
type Observations = NonNullable<MetricsReport['observations']>[number];

/** Gathers what an isolate has to say of its requests, and says when to report it. */
export class RequestMetrics {
  readonly #now: () => number;
  #counters = new Map<string, Counters>();
  #observations: Observations[] = [];
  #reportedAt = 0;
  #source = '';

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `seconds` from a request to its response. */
  record(route: string, method: string, status: number, seconds: number): void {
    this.#count({ name: 'colink_http_requests_total', labels: { route, method, status: String(status) }, add: 1 });
    this.#observations.push({ name: 'colink_http_request_duration_seconds', labels: { route, method }, value: seconds });
  }

  recordLimited(policy: string): void {
    this.#count({ name: 'colink_rate_limited_total', labels: { policy }, add: 1 });
  }

  /** What is due to be reported; null while nothing is. What is taken is not kept: a lost report is lost. */
  take(): MetricsReport | null {
    if (this.#observations.length < REPORT_REQUESTS && this.#now() - this.#reportedAt < REPORT_MS) return null;
    // The platform gives out random bytes within requests only.
    this.#source ||= `worker-${crypto.randomUUID()}`;
    const report = { source: this.#source, counters: [...this.#counters.values()], observations: this.#observations };
    this.#counters = new Map();
    this.#observations = [];
    this.#reportedAt = this.#now();
    return report;
  }

  #count(counter: Counters): void {
    const key = `${counter.name} ${Object.values(counter.labels ?? {}).join(' ')}`;
    const known = this.#counters.get(key);
    this.#counters.set(key, { ...counter, add: (known?.add ?? 0) + 1 });
  }
}
