import type { CounterName, GaugeName, HistogramName } from './catalog.ts';

type Labels = Readonly<Record<string, string>>;

/** What one source (an isolate, a room) has to add since its last report. At most 500 samples are taken. */
export interface MetricsReport {
  /** Names the source: a later report's gauges replace its earlier ones. */
  readonly source: string;
  readonly counters?: readonly { readonly name: CounterName; readonly labels?: Labels; readonly add: number }[];
  /** Seconds. `times` observations (default 1) of one bucket may come as one, with their mean. */
  readonly observations?: readonly { readonly name: HistogramName; readonly labels?: Labels; readonly value: number; readonly times?: number }[];
  /** Null: this source has no such value any more. */
  readonly gauges?: readonly { readonly name: GaugeName; readonly value: number | null }[];
}

/** Some of the objects that have sockets. `next`: what to ask for the ones after these with; null: there are none. */
export interface Listening {
  readonly channel_ids: readonly string[];
  readonly user_ids: readonly string[];
  readonly next: string | null;
}

/** The one hub, `METRICS_HUB.getByName('hub')`. Reporters do not wait for it and do not repeat a lost report. */
export interface MetricsApi {
  report(report: MetricsReport): Promise<void>;
  /** The objects that have sockets, as they have last said, at most `limit` of those after `after`: ids of channels, then of users. */
  listening(after: string | null, limit: number): Promise<Listening>;
  /** Prometheus text format 0.0.4. */
  render(): Promise<string>;
}
