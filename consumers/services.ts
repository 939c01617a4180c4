import type { Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import type { Sql } from '../db/client.ts';
import { readCursors } from '../db/queries/consumer-offsets.ts';
import { LOG_START, type LogCursor } from '../db/queries/event-log.ts';
import { readClock } from '../db/queries/time.ts';
import type { DirectoryEvent } from '../protocol/directory-events.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import type { FileEvent } from '../protocol/file-events.ts';
import { cacheInvalidator } from './cache-invalidator/group.ts';
import { redisCache } from './cache-invalidator/redis.ts';
import type { FleetConfig } from './config.ts';
import { createFilePurger } from './file-purger/file-purger.ts';
import { fileScanner } from './file-scanner/group.ts';
import { scannerService } from './file-scanner/service.ts';
import { createKafka, createTopics } from './kafka/client.ts';
import { RecordSender } from './kafka/record-sender.ts';
import { type LinkEvent, linkPreviewer } from './link-previewer/group.ts';
import { linkRulesOf, previewServices } from './link-previewer/service.ts';
import { createMaintenance } from './maintenance.ts';
import { schedulerService } from './message-scheduler/service.ts';
import type { FleetMetrics } from './metrics.ts';
import { notificationSenders } from './notification-sender/services.ts';
import { kafkaSink } from './outbox-relay/kafka-sink.ts';
import { createShardedRelay } from './outbox-relay/sharded-relay.ts';
import type { NotifierEvent } from './notifier/batch.ts';
import { notifier } from './notifier/group.ts';
import { workerInboxes } from './notifier/inboxes.ts';
import { processName } from './process-name.ts';
import { roomAnnouncer } from './room-announcer/group.ts';
import { workerAnnouncer } from './room-announcer/rooms.ts';
import { failureFields } from './runtime/classify.ts';
import { DatabaseClock } from './runtime/database-clock.ts';
import { publishDeadLetters } from './runtime/dead-letter-publisher.ts';
import { createEventLogSource } from './runtime/event-log-source.ts';
import type { EventSource } from './runtime/event-source.ts';
import type { ConsumerGroup } from './runtime/group.ts';
import { type GroupPorts, groupService, retrierService } from './runtime/group-runner.ts';
import { KafkaSource } from './runtime/kafka-source.ts';
import { parseLogCursor } from './runtime/log-cursor.ts';
import { Poller } from './runtime/poller.ts';
import { RestartableSource } from './runtime/restartable-source.ts';
import type { Service } from './runtime/service.ts';
import { createWatchdog, StreamActs } from './runtime/watchdog.ts';
import type { SearchEvent } from './search-indexer/events.ts';
import { searchIndexer } from './search-indexer/group.ts';
import { userRedactor } from './user-redactor/group.ts';
import { workerRedactor } from './user-redactor/rooms.ts';
import type { WebhookEvent } from './webhook-sender/payload.ts';
import { type WebhookParts, webhookGroup, webhookServices } from './webhook-sender/services.ts';
import type { WorkerAddress } from './worker-calls.ts';

type Group = ConsumerGroup<ChannelEvent | DirectoryEvent | FileEvent | NotifierEvent | LinkEvent | SearchEvent | WebhookEvent>;

/** Every consumer group of a fleet of this configuration. */
export const groupsOf = (
  { worker, redis, clamd, publicUrl, linkPreviews }: Pick<FleetConfig, 'worker' | 'redis' | 'clamd' | 'publicUrl' | 'linkPreviews'>, webhooks: Pick<WebhookParts, 'log' | 'metrics'> | null = null,
): Group[] => [
  searchIndexer,
  webhookGroup(webhooks),
  ...(worker === null ? [] : [...groupsByWorker(worker), linkPreviewer({ rules: linkRulesOf({ publicUrl, linkPreviews }) })]),
  ...(redis === null ? [] : [cacheInvalidator(redisCache(redis), Date.now)]),
  ...(clamd === null ? [] : [fileScanner]),
];

/** Those that have rooms and inboxes do something. */
const groupsByWorker = (worker: WorkerAddress): Group[] => [
  notifier(workerInboxes(worker, Date.now)),
  roomAnnouncer(workerAnnouncer(worker, Date.now)),
  userRedactor(workerRedactor(worker, Date.now)),
];

/** What a group reads does not depend on where its parts are. */
const ELSEWHERE = { url: 'http://127.0.0.1:9', token: 'none' };

/** Every group of this version, whether or not a configuration has what it needs to run. Made to be asked what they are; nobody is called. */
export const knownGroups = (): readonly Pick<Group, 'id' | 'topics' | 'types'>[] => groupsOf({ worker: ELSEWHERE, redis: ELSEWHERE, clamd: { host: '127.0.0.1', port: 9 }, publicUrl: null, linkPreviews: 'off' });

export interface FleetParts {
  readonly config: FleetConfig;
  readonly sql: Sql;
  readonly log: Logger;
  readonly metrics: FleetMetrics;
}

export interface Services {
  readonly services: readonly Service[];
  /** By group. */
  readonly sources: ReadonlyMap<string, EventSource>;
}

const FAILURE = { first: 500, most: 10_000 };
const HOUR_MS = 60 * 60 * 1_000;

/** Assembles what a process of this configuration runs. */
export function assemble(parts: FleetParts): Services {
  const { config, log } = parts;
  const kafka = config.brokers.length === 0 ? null : createKafka({ brokers: config.brokers, clientId: processName('colink'), log });
  const groups = groupsOf(config, parts);
  const clock = new DatabaseClock({ read: () => readClock(parts.sql), now: Date.now, log, onMeasured: parts.metrics.skewed.bind(parts.metrics) });
  const sources = new Map(groups.map((group) => [group.id, new RestartableSource(() => createSource(parts, kafka, group))]));
  const isRelaying = config.run !== 'groups';
  const services = [
    ...(config.run === 'relay' ? [] : [clock.service(), ...groupServices(parts, groups, sources, clock), ...webhookServices(parts), ...scannerServices(parts), ...schedulerServices(parts), ...linkServices(parts), ...notificationSenders(parts)]),
    ...(kafka === null ? [] : [topicService(parts, kafka)]),
    ...(kafka !== null && isRelaying ? [publisherService(parts, kafka), relayService(parts, kafka)] : []),
    ...(isRelaying ? [maintenanceService(parts, kafka === null ? groups : [])] : []),
    ...(isRelaying && config.worker !== null ? [createFilePurger(parts.sql, config.worker, log.child({ service: 'file-purger' }))] : []),
  ];
  return { services, sources };
}

function createSource({ config, sql, log, metrics }: FleetParts, kafka: Kafka | null, { id: groupId, topics }: Group): EventSource {
  const child = log.child({ group: groupId });
  if (kafka !== null) return new KafkaSource({ kafka, sql, groupId, topics, log: child, onStartOver: (topic) => metrics.startedOver(groupId, topic) });
  const onError = (error: unknown): void => child.warn(failureFields(error), 'the batch waits');
  return createEventLogSource({ databaseUrl: config.databaseUrl, sql, groupId, topics, onError });
}

function groupServices(
  { sql, log, metrics }: FleetParts, groups: readonly Group[], sources: ReadonlyMap<string, RestartableSource>, clock: DatabaseClock,
): Service[] {
  const chance = { now: () => clock.time(), random: Math.random };
  const acts = new StreamActs(Date.now);
  const onTaken: GroupPorts['onTaken'] = (groupId, taken, stream) => {
    if (stream !== null) acts.note(groupId, stream);
    metrics.taken(groupId, taken, stream);
  };
  const onFailed: GroupPorts['onFailed'] = (groupId, stream) => {
    acts.note(groupId, stream);
    metrics.waited(groupId);
  };
  const services = groups.flatMap((group) => {
    const source = sources.get(group.id);
    if (source === undefined) return [];
    const ports = { sql, log: log.child({ group: group.id }), chance, onTaken, onFailed };
    return [groupService(group, source, ports), retrierService(group, ports)];
  });
  const watched = [...sources].map(([id, source]) => ({ id, source, actedAt: acts.of(id) }));
  return [...services, createWatchdog({ groups: watched, log, now: Date.now, onStalled: metrics.stalled.bind(metrics) })];
}

/** What the group `file-scanner` has asked for is done beside the groups. */
const scannerServices = ({ config: { clamd, worker }, sql, log, metrics }: FleetParts): Service[] =>
  clamd === null || worker === null ? [] : [scannerService({ clamd, worker, sql, log: log.child({ service: 'file-scans' }), registry: metrics.registry })];

const linkServices = ({ config, sql, log, metrics }: FleetParts): Service[] =>
  previewServices({ config, sql, log: log.child({ service: 'link-previews' }), registry: metrics.registry });

/** Messages are sent by the Worker. */
const schedulerServices = ({ config: { worker }, sql, log, metrics }: FleetParts): Service[] =>
  worker === null ? [] : [schedulerService({ worker, sql, log: log.child({ service: 'message-scheduler' }), metrics })];

function relayService({ config, log, metrics }: FleetParts, kafka: Kafka): Service {
  return createShardedRelay({
    databaseUrl: config.databaseUrl,
    shards: config.relayShards,
    openSink: () => kafkaSink(new RecordSender(kafka)),
    log: log.child({ service: 'outbox-relay' }),
    onSent: metrics.relayed.bind(metrics),
    onLeading: metrics.leading.bind(metrics),
  });
}

/** The broker may come later than the fleet; whoever needs a topic waits until it is there. */
function topicService({ config, log }: FleetParts, kafka: Kafka): Service {
  return new Poller({
    name: 'topics',
    idle: { first: HOUR_MS, most: HOUR_MS },
    failure: FAILURE,
    onError: (error) => log.warn(failureFields(error), 'topics wait for a broker'),
    step: async () => {
      await createTopics(kafka, config.replicationFactor);
      return false;
    },
  });
}

function publisherService({ sql, log }: FleetParts, kafka: Kafka): Service {
  const sender = new RecordSender(kafka);
  return new Poller({
    name: 'dead-letter-publisher',
    idle: { first: 500, most: 2_000 },
    failure: FAILURE,
    onError: (error) => log.warn(failureFields(error), 'dead letters wait'),
    step: async () => (await publishDeadLetters(sql, sender)) > 0,
    release: (hard) => sender.close(hard),
  });
}

function maintenanceService({ sql, log }: FleetParts, embedded: readonly Group[]): Service {
  return createMaintenance({
    sql,
    log: log.child({ service: 'maintenance' }),
    cursors: () => embeddedCursors(sql, embedded),
  });
}

/** How far the groups that read the log itself have come: what is behind them may not be dropped. */
async function embeddedCursors(sql: Sql, groups: readonly Group[]): Promise<LogCursor[]> {
  const streams = groups.flatMap(({ id, topics }) => topics.map((topic) => ({ id, topic })));
  return Promise.all(
    streams.map(async ({ id, topic }) => {
      const stored = (await readCursors(sql, id, topic)).get(0);
      return (stored === undefined ? null : parseLogCursor(stored)) ?? LOG_START;
    }),
  );
}
