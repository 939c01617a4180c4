/**
 * Every metric the Workers and Durable Objects may report, in base units. A report of another name is dropped, so that what a
 * scrape returns stays bounded and described.
 */
export const METRICS = {
  colink_http_requests_total: { type: 'counter', labels: ['route', 'method', 'status'], help: 'Requests answered.' },
  colink_http_request_duration_seconds: { type: 'histogram', labels: ['route', 'method'], help: 'Time from a request to its response.' },
  colink_cache_lookups_total: { type: 'counter', labels: ['level'], help: 'Look-ups of profiles by where they ended: isolate, joined (another\'s look-up), shared (Redis), record (Postgres).' },
  colink_postgres_reads_total: { type: 'counter', labels: ['server', 'reason'], help: 'Reads that a replica may answer, by the server that did, and why it was the primary.' },
  colink_postgres_replica_lag_seconds: { type: 'histogram', labels: [], help: 'Lag of the replica, as reads found it.' },
  colink_rate_limited_total: { type: 'counter', labels: ['policy'], help: 'Requests refused by a rate limit.' },
  colink_room_events_appended_total: { type: 'counter', labels: [], help: 'Events appended to the logs of rooms.' },
  colink_room_events_drained_total: { type: 'counter', labels: [], help: 'Events of rooms stored in Postgres.' },
  colink_room_commits_total: { type: 'counter', labels: [], help: 'Group commits of rooms.' },
  colink_room_commands_refused_total: { type: 'counter', labels: ['code'], help: 'Commands a room refused, by problem.' },
  colink_room_drain_failures_total: { type: 'counter', labels: ['kind'], help: 'Drain batches that failed or were refused.' },
  colink_room_poison_events_total: { type: 'counter', labels: [], help: 'Events that Postgres could not take, kept in dead_letters.' },
  colink_room_sockets_closed_total: { type: 'counter', labels: ['code'], help: 'Sockets closed by rooms.' },
  colink_room_sockets: { type: 'gauge', of: 'sum', labels: [], help: 'Open sockets, over all rooms.' },
  colink_room_sockets_max: { type: 'gauge', of: 'max', labels: [], help: 'Open sockets of the fullest room.' },
  colink_inbox_sockets: { type: 'gauge', of: 'sum', labels: [], help: 'Open sockets, over all inboxes.' },
  colink_room_undrained_events: { type: 'gauge', of: 'sum', labels: [], help: 'Events not yet in Postgres, over all rooms.' },
  colink_room_drain_lag_seconds: { type: 'gauge', of: 'age', labels: [], help: 'Age of the oldest event not yet in Postgres.' },
  colink_inbox_events_appended_total: { type: 'counter', labels: [], help: 'Events appended to the logs of inboxes.' },
  colink_inbox_sockets_closed_total: { type: 'counter', labels: ['code'], help: 'Sockets closed by inboxes.' },
  colink_inbox_commands_refused_total: { type: 'counter', labels: ['code'], help: 'Commands an inbox refused, by problem.' },
  colink_inbox_bootstraps_total: { type: 'counter', labels: [], help: 'Inboxes that were filled from Postgres.' },
  colink_inbox_drain_failures_total: { type: 'counter', labels: ['kind'], help: 'Drain batches of inboxes that failed or were refused.' },
  colink_inbox_poison_events_total: { type: 'counter', labels: [], help: 'Events of inboxes that Postgres could not take, kept in dead_letters.' },
  colink_inbox_drain_lag_seconds: { type: 'gauge', of: 'age', labels: [], help: 'Age of the oldest event not yet in Postgres, of inboxes whose drain has failed.' },
  colink_presence_watchers: { type: 'gauge', of: 'sum', labels: [], help: 'Sockets of rooms that are told who is present.' },
  colink_presence_frames_total: { type: 'counter', labels: ['kind'], help: 'Presence frames sent by rooms, all of it (full) or what has changed (diff).' },
  colink_presence_lookups_total: { type: 'counter', labels: ['result'], help: 'Inboxes that rooms have asked who is present.' },
  colink_presence_transitions_total: { type: 'counter', labels: ['to'], help: 'Changes of what others see of users, by the state they are seen in then.' },
  colink_presence_leases_expired_total: { type: 'counter', labels: [], help: 'Users who went offline because their connections were silent, not closed.' },
} as const satisfies Record<string, Metric>;

/** `of`: how the newest values of all sources become one. `age` takes epoch milliseconds and shows the greatest age in seconds. */
type Metric =
  | { readonly type: 'counter' | 'histogram'; readonly labels: readonly string[]; readonly help: string }
  | { readonly type: 'gauge'; readonly of: 'sum' | 'max' | 'age'; readonly labels: readonly string[]; readonly help: string };

export type MetricName = keyof typeof METRICS;
type NamesOf<T extends Metric['type']> = { [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never }[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type HistogramName = NamesOf<'histogram'>;

/** Upper bounds of histogram buckets, in seconds. */
export const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
