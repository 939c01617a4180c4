import type { CounterName, GaugeName } from './catalog.ts';
import type { MetricsReport } from './metrics-api.ts';

const REPORT_EVERY_MS = 5_000;

type Labels = Readonly<Record<string, string>>;
export type Count = (name: CounterName, add?: number, labels?: Labels) => void;

export interface Gauge {
  readonly name: GaugeName;
  /** Null: the source has no such value any more. */
  readonly value: number | null;
}

/** What an object counts between two reports. A report lost is lost: the counts are for watching, not for billing. */
export class ObjectMetrics {
  readonly #source: string;
  #counters = new Map<string, { readonly name: CounterName; readonly labels: Labels; add: number }>();
  readonly #reported = new Map<GaugeName, number | null>();
  #reportedAt = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** What an earlier instance has reported. */
  known({ name, value }: Gauge): void {
    this.#reported.set(name, value);
  }

  count(name: CounterName, add = 1, labels: Labels = {}): void {
    const key = `${name} ${Object.values(labels).join(' ')}`;
    const counter = this.#counters.get(key);
    if (counter === undefined) this.#counters.set(key, { name, labels, add });
    else counter.add += add;
  }

  /** The report that is due, or null: at most one in 5 s, save the `last` one before the object rests; and only what has changed. */
  take(gauges: readonly Gauge[], now: number, last: boolean): MetricsReport | null {
    if (!last && now - this.#reportedAt < REPORT_EVERY_MS) return null;
    const counters = [...this.#counters.values()];
    const changed = gauges.filter(({ name, value }) => this.#reported.get(name) !== value);
    if (counters.length === 0 && changed.length === 0) return null;
    this.#counters = new Map();
    this.#reportedAt = now;
    for (const gauge of changed) this.known(gauge);
    return { source: this.#source, counters, gauges: changed };
  }
}
