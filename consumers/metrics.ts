import { timeout, TimeoutStrategy } from 'cockatiel';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { DependencyState } from './dependencies.ts';
import type { Taken } from './runtime/batch.ts';
import { type StreamLag, totalLag } from './runtime/stream-lag.ts';

/** Values that are asked for at each scrape. */
export interface Probes {
  /** Milliseconds since 1970 at which the oldest unrelayed row was logged; null: none. Absent where no broker is used. */
  readonly oldestUnrelayed?: () => Promise<number | null>;
  /** By group. */
  readonly lags: () => Promise<ReadonlyMap<string, readonly StreamLag[]>>;
  readonly parkedKeys: () => Promise<readonly { groupId: string; keys: number }[]>;
  readonly deadLetters: () => Promise<readonly { topic: string; groupId: string; letters: number }[]>;
  readonly missingPartitions: () => Promise<number>;
  /** Milliseconds since 1970 at which the delivery of a webhook that waits longest was due; null: none is. */
  readonly oldestDueDelivery: () => Promise<number | null>;
  /** Milliseconds since 1970 at which the browser that waits longest for a push should have been sent it; null: none is due. */
  readonly oldestDuePush: () => Promise<number | null>;
  /** The same of the user who waits longest for a digest. */
  readonly oldestDueDigest: () => Promise<number | null>;
  /** Milliseconds since 1970 at which the scheduled message that waits longest was to be sent; null: none is due. */
  readonly oldestScheduled: () => Promise<number | null>;
  readonly dependencies: () => Promise<readonly DependencyState[]>;
}

const STREAM = ['group', 'topic', 'partition'];

/** What takes longer is left out of the scrape. */
const patience = timeout(3_000, TimeoutStrategy.Aggressive);

/** The fleet's metrics: base units, prefix `colink_`. */
export class FleetMetrics {
  readonly registry = new Registry();
  readonly #relayed = this.#counter('colink_relay_records_total', 'Records acknowledged by Kafka', []);
  readonly #relayProgress = this.#gauge('colink_relay_last_progress_timestamp_seconds', 'When the relay last stored its place', []);
  readonly #leading = this.#gauge('colink_relay_leading', 'Shards of the relay that this process leads', []);
  readonly #records = this.#counter('colink_consumer_records_total', 'Records taken over, by what became of them', ['group', 'outcome']);
  readonly #startedOver = this.#counter('colink_consumer_topics_started_over_total', 'Partitions read from their start because their topic was made anew', ['group', 'topic']);
  readonly #progress = this.#gauge('colink_consumer_last_progress_timestamp_seconds', 'When the group last stored a batch', ['group']);
  readonly #streamRecords = this.#counter('colink_consumer_partition_records_total', 'Records taken over, by the partition they came from', STREAM);
  readonly #waits = this.#counter('colink_consumer_waits_total', 'Batches that had to wait for a part that is away', ['group']);
  readonly #skew = this.#gauge('colink_clock_ahead_seconds', "By how much this process's clock is ahead of Postgres'", []);
  readonly #stalls = this.#counter('colink_consumer_stalls_total', 'Sources started again because the group stood still without a word', ['group']);
  readonly #deliveries = this.#counter('colink_webhook_deliveries_total', 'Deliveries of webhooks, by what became of them; retried: an attempt failed and there will be another', ['outcome']);
  readonly #disabled = this.#counter('colink_webhooks_disabled_total', 'Webhooks disabled by what became of their deliveries', ['reason']);

  readonly #sent = this.#counter('colink_notification_sends_total', 'Notices sent out of Colink, by what became of them; retried: an attempt failed and there will be another; dropped: nobody wants it any more', ['channel', 'outcome']);
  readonly #pushEnds = this.#counter('colink_push_subscriptions_ended_total', 'Push subscriptions deleted by what became of their pushes', ['reason']);
  readonly #scheduled = this.#counter('colink_scheduled_messages_total', 'Scheduled messages that were due, by what became of them; later: it will be tried again', ['outcome']);

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: 'colink_' });
  }

  /** Values asked for at a scrape: one that cannot be had is left out of that scrape, and the others are served. */
  watch(probes: Probes, groups: readonly string[]): void {
    const { oldestUnrelayed } = probes;
    if (oldestUnrelayed !== undefined) {
      this.#asked('colink_relay_unrelayed_age_seconds', 'Age of the oldest row of event_log not yet in Kafka', [], async (gauge) => {
        const at = await oldestUnrelayed();
        gauge.set(at === null ? 0 : Math.max(0, (Date.now() - at) / 1_000));
      });
    }
    this.#watchStreams(probes, groups);
    this.#asked('colink_consumer_parked_keys', 'Keys that wait for a retry', ['group'], async (gauge) => {
      for (const group of groups) gauge.set({ group }, 0);
      for (const { groupId, keys } of await probes.parkedKeys()) gauge.set({ group: groupId }, keys);
    });
    this.#asked('colink_dead_letters_pending', 'Dead letters nobody has redriven or discarded', ['topic', 'group'], async (gauge) => {
      for (const { topic, groupId, letters } of await probes.deadLetters()) gauge.set({ topic, group: groupId }, letters);
    });
    this.#asked('colink_dependency_up', '1 where the fleet reaches it', ['dependency'], async (gauge) => {
      for (const { name, isReached } of await probes.dependencies()) gauge.set({ dependency: name }, isReached ? 1 : 0);
    });
    this.#asked('colink_partitions_missing', 'Partitions the present and the next period need and do not have', [], async (gauge) => {
      gauge.set(await probes.missingPartitions());
    });
    this.#asked('colink_webhook_oldest_due_age_seconds', 'For how long the delivery of a webhook that waits longest has been due, endpoints that are held back aside', [], async (gauge) => {
      const at = await probes.oldestDueDelivery();
      gauge.set(at === null ? 0 : Math.max(0, (Date.now() - at) / 1_000));
    });
    this.#asked('colink_push_oldest_due_age_seconds', 'For how long the browser that waits longest for a push should have been sent it, those that fail aside', [], async (gauge) => {
      const at = await probes.oldestDuePush();
      gauge.set(at === null ? 0 : Math.max(0, (Date.now() - at) / 1_000));
    });
    this.#asked('colink_digest_oldest_due_age_seconds', 'For how long the user who waits longest for a digest should have been looked at, those whose mails fail aside', [], async (gauge) => {
      const at = await probes.oldestDueDigest();
      gauge.set(at === null ? 0 : Math.max(0, (Date.now() - at) / 1_000));
    });
    this.#asked('colink_scheduled_message_oldest_due_age_seconds', 'For how long the scheduled message that waits longest should have been sent', [], async (gauge) => {
      const at = await probes.oldestScheduled();
      gauge.set(at === null ? 0 : Math.max(0, (Date.now() - at) / 1_000));
    });
  }

  notificationSent(channel: string, outcome: string): void {
    this.#sent.inc({ channel, outcome });
  }

  pushSubscriptionEnded(reason: string): void {
    this.#pushEnds.inc({ reason });
  }

  scheduledMessage(outcome: string): void {
    this.#scheduled.inc({ outcome });
  }

  webhookDelivery(outcome: string): void {
    this.#deliveries.inc({ outcome });
  }

  webhookDisabled(reason: string): void {
    this.#disabled.inc({ reason });
  }

  relayed(rows: number): void {
    this.#relayed.inc(rows);
    this.#relayProgress.setToCurrentTime();
  }

  /** Told at each beginning and each end of a shard's lead. */
  leading(isLeading: boolean): void {
    this.#leading.inc(isLeading ? 1 : -1);
  }

  /** `stream`: where the records came from; null: from parked keys. */
  taken(group: string, taken: Taken, stream: { readonly topic: string; readonly partition: number } | null): void {
    for (const [outcome, records] of Object.entries(taken)) this.#records.inc({ group, outcome }, records);
    if (stream !== null) this.#streamRecords.inc({ group, topic: stream.topic, partition: stream.partition }, sumOf(taken));
    this.#progress.setToCurrentTime({ group });
  }

  startedOver(group: string, topic: string): void {
    this.#startedOver.inc({ group, topic });
  }

  waited(group: string): void {
    this.#waits.inc({ group });
  }

  /** `ahead`: milliseconds by which this process's clock is ahead of Postgres'. */
  skewed(ahead: number): void {
    this.#skew.set(ahead / 1_000);
  }

  stalled(group: string): void {
    this.#stalls.inc({ group });
  }

  /** The lags of a scrape are read once, for all three. Groups without a stall so far have a 0, so that the first one is seen to rise. */
  #watchStreams({ lags }: Probes, groups: readonly string[]): void {
    for (const group of groups) this.#stalls.inc({ group }, 0);
    let shared: Promise<ReadonlyMap<string, readonly StreamLag[]>> | null = null;
    const once = (): NonNullable<typeof shared> => {
      shared ??= lags().finally(() => (shared = null));
      return shared;
    };
    this.#asked('colink_consumer_lag_records', 'Records a group has not taken yet', ['group'], async (gauge) => {
      for (const [group, streams] of await once()) gauge.set({ group }, totalLag(streams));
    });
    this.#asked('colink_consumer_partition_lag_records', 'Records a group has not taken yet of a partition', STREAM, async (gauge) => {
      for (const [group, streams] of await once()) for (const { topic, partition, records } of streams) gauge.set({ group, topic, partition }, records);
    });
    this.#asked('colink_consumer_partition_last_progress_timestamp_seconds', 'When the last batch of a partition was stored', STREAM, async (gauge) => {
      for (const [group, streams] of await once()) {
        for (const { topic, partition, takenAt } of streams) if (takenAt !== null) gauge.set({ group, topic, partition }, takenAt / 1_000);
      }
    });
  }

  #asked(name: string, help: string, labelNames: string[], ask: (gauge: Gauge) => Promise<void>): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect: async () => {
        gauge.reset();
        if (labelNames.length === 0) gauge.remove();
        await patience.execute(() => ask(gauge)).catch(() => {});
      },
    });
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}

const sumOf = ({ applied, duplicates, parked, dead }: Taken): number => applied + duplicates + parked + dead;
