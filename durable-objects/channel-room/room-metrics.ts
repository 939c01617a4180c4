import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import { type Gauge, ObjectMetrics } from '../metrics-hub/object-metrics.ts';

export interface RoomGauges {
  readonly sockets: number;
  /** Sockets that are told who is present. */
  readonly watchers: number;
  readonly undrained: number;
  /** Epoch milliseconds of the oldest undrained event, or null. */
  readonly undrainedSince: number | null;
}

/** What a room, or a node, reports. */
export class RoomMetrics {
  readonly #metrics: ObjectMetrics;

  constructor(source: string) {
    this.#metrics = new ObjectMetrics(source);
  }

  count(...counted: Parameters<ObjectMetrics['count']>): void {
    this.#metrics.count(...counted);
  }

  take(gauges: RoomGauges, now: number, last: boolean): MetricsReport | null {
    return this.#metrics.take(values(gauges), now, last);
  }
}

const values = ({ sockets, watchers, undrained, undrainedSince }: RoomGauges): Gauge[] => [
  { name: 'colink_room_sockets', value: sockets },
  { name: 'colink_room_sockets_max', value: sockets },
  { name: 'colink_presence_watchers', value: watchers },
  { name: 'colink_room_undrained_events', value: undrained },
  { name: 'colink_room_drain_lag_seconds', value: undrainedSince },
];
