import type { CounterName, GaugeName } from '../metrics-hub/catalog.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';

const REPORT_EVERY_MS = 5_000;

export interface RoomGauges {
  readonly sockets: number;
  readonly undrained: number;
  /** Epoch milliseconds of the oldest undrained event, or null. */
  readonly undrainedSince: number | null;
}

type Labels = Readonly<Record<string, string>>;

/** What a room counts between two reports. A report lost is lost: the counts are for watching, not for billing. */
export class RoomMetrics {
  readonly #source: string;
  #counters = new Map<string, { readonly name: CounterName; readonly labels: Labels; add: number }>();
  readonly #reported = new Map<GaugeName, number | null>();
  #reportedAt = 0;

  constructor(source: string) {
    this.#source = source;
  }

  count(name: CounterName, add = 1, labels: Labels = {}): void {
    const key = `${name} ${Object.values(labels).join(' ')}`;
    const counter = this.#counters.get(key);
    if (counter === undefined) this.#counters.set(key, { name, labels, add });
    else counter.add += add;
  }

  /** The report that is due, or null: at most one in 5 s, save the `last` one before the room rests; and only what has changed. */
  take(gauges: RoomGauges, now: number, last: boolean): MetricsReport | null {
    if (!last && now - this.#reportedAt < REPORT_EVERY_MS) return null;
    const counters = [...this.#counters.values()];
    const changed = values(gauges).filter(({ name, value }) => this.#reported.get(name) !== value);
    if (counters.length === 0 && changed.length === 0) return null;
    this.#counters = new Map();
    this.#reportedAt = now;
    for (const { name, value } of changed) this.#reported.set(name, value);
    return { source: this.#source, counters, gauges: changed };
  }
}

const values = ({ sockets, undrained, undrainedSince }: RoomGauges): { name: GaugeName; value: number | null }[] => [
  { name: 'colink_room_sockets', value: sockets },
  { name: 'colink_room_sockets_max', value: sockets },
  { name: 'colink_room_undrained_events', value: undrained },
  { name: 'colink_room_drain_lag_seconds', value: undrainedSince },
];
