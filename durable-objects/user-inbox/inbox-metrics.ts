import type { DrainStep } from '../log/drain.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import { type Gauge, ObjectMetrics } from '../metrics-hub/object-metrics.ts';

/** What is reported of an inbox: what it counts, when something has happened; and drains that fail, at once, and since when. */
export class InboxMetrics {
  readonly #source: string;
  readonly #metrics: ObjectMetrics;
  #isLate: boolean;

  /** `isLate`: an earlier instance has left events undrained, and may have reported how late they are. */
  constructor(userId: string, isLate: boolean) {
    this.#isLate = isLate;
    this.#source = `inbox ${userId}`;
    this.#metrics = new ObjectMetrics(this.#source);
    this.found(0);
  }

  /** So many sockets of an earlier instance, which has reported them. */
  found(sockets: number): void {
    this.#metrics.known(socketsOf(sockets));
  }

  count(...counted: Parameters<ObjectMetrics['count']>): void {
    this.#metrics.count(...counted);
  }

  /** As `ObjectMetrics.take`. */
  take(sockets: number, now: number, last: boolean): MetricsReport | null {
    return this.#metrics.take([socketsOf(sockets)], now, last);
  }

  /** The report that a step of the drain calls for, or null. `undrainedSince` in epoch milliseconds; null: nothing is undrained. */
  observe(step: DrainStep, undrainedSince: number | null): MetricsReport | null {
    switch (step.kind) {
      case 'narrowed':
        return null;
      case 'drained':
        return this.#isLate ? this.#report(undrainedSince) : null;
      case 'skipped':
        return this.#report(undrainedSince, { name: 'colink_inbox_poison_events_total', add: 1, labels: {} });
      default: {
        const kind = step.kind === 'refused' ? step.status : step.kind;
        this.#isLate = true;
        return this.#report(undrainedSince, { name: 'colink_inbox_drain_failures_total', add: 1, labels: { kind } });
      }
    }
  }

  #report(undrainedSince: number | null, ...counters: NonNullable<MetricsReport['counters']>): MetricsReport {
    if (undrainedSince === null) this.#isLate = false;
    return { source: this.#source, counters, gauges: [{ name: 'colink_inbox_drain_lag_seconds', value: undrainedSince }] };
  }
}

const socketsOf = (sockets: number): Gauge => ({ name: 'colink_inbox_sockets', value: sockets === 0 ? null : sockets });
