import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from '../../db/client.ts';
import { readStreams, type StreamState } from '../../db/queries/consumer-offsets.ts';
import { countPendingDeadLetters } from '../../db/queries/dead-letters.ts';
import { countParkedKeys } from '../../db/queries/parking.ts';
import { readOldestUnrelayed } from '../../db/queries/relay-layout.ts';
import { readRelayShards, readRoleHolders } from '../../db/queries/relay.ts';
import type { Topic } from '../../protocol/topics.ts';
import { processOf } from '../process-name.ts';
import { type StreamLag, streamName, totalLag } from '../runtime/stream-lag.ts';
import { knownGroups } from '../services.ts';
import type { Readers, StatusTransport } from './transport.ts';

/** Times are RFC 3339, by Postgres' clock. What is null is not known: there was none yet, or Kafka does not answer. */
export interface FleetStatus {
  readonly at: string;
  readonly transport: 'kafka' | 'embedded';
  /** Why Kafka could not be asked. Lags, rates and readers are null then. */
  readonly kafka_fault: string | null;
  readonly relay: RelayStatus | null;
  /** Every group of this version, and every other that has ever taken a batch from this database. */
  readonly groups: readonly GroupStatus[];
  /** Pending dead letters of nobody's group: what the drain gave up. */
  readonly drain_dead_letters: number;
}

export interface RelayStatus {
  /** Age of the oldest event that is not in Kafka yet; null: all are. */
  readonly oldest_unrelayed_seconds: number | null;
  readonly shards: readonly { readonly shard: number; readonly leader: string | null; readonly fence: string; readonly last_progress: string }[];
}

export interface GroupStatus {
  readonly group: string;
  readonly lag: number | null;
  readonly records_per_second: number | null;
  /** Null: it never took a batch. */
  readonly last_progress: string | null;
  readonly parked_keys: number;
  readonly dead_letters: number;
  readonly partitions: readonly PartitionStatus[];
}

export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly lag: number | null;
  readonly records_per_second: number | null;
  readonly last_progress: string | null;
  /** The process that reads it, as `host:process id`. */
  readonly reader: string | null;
}

export interface StatusPorts {
  readonly sql: Sql;
  readonly transport: StatusTransport;
  /** Milliseconds over which rates are measured. */
  readonly sampleMs: number;
}

/**
 * How the fleet does, from the stores alone: no process of it is asked, so it tells of those that hang, too. Takes `sampleMs` and the answers.
 * @throws if Postgres does not answer.
 */
export async function readFleetStatus(ports: StatusPorts): Promise<FleetStatus> {
  const { sql, transport } = ports;
  const [readings, relay, parked, letters] = await Promise.all([
    readGroups(ports),
    transport.kind === 'kafka' ? readRelay(sql) : null,
    countParkedKeys(sql),
    countPendingDeadLetters(sql),
  ]);
  const lettersOf = (group: string): number => sum(letters.filter(({ groupId }) => groupId === group).map((one) => one.letters));
  const groups = readings.groups.map((group) => ({
    ...group,
    parked_keys: parked.find(({ groupId }) => groupId === group.group)?.keys ?? 0,
    dead_letters: lettersOf(group.group),
  }));
  return { at: new Date().toISOString(), transport: transport.kind, kafka_fault: readings.fault, relay, groups, drain_dead_letters: lettersOf('drain') };
}

async function readRelay(sql: Sql): Promise<RelayStatus> {
  const states = await readRelayShards(sql);
  const holders = await readRoleHolders(sql, states.map(({ shard }) => ({ relayOfShard: shard })));
  const oldest = await readOldestUnrelayed(sql);
  const shards = states.map(({ shard, fence, storedAt }, index) => {
    const holder = holders[index] ?? null;
    return { shard, leader: holder === null ? null : processOf(holder), fence, last_progress: timeOf(storedAt) };
  });
  return { oldest_unrelayed_seconds: oldest === null ? null : Math.max(0, (Date.now() - oldest) / 1_000), shards };
}

type GroupReading = Omit<GroupStatus, 'parked_keys' | 'dead_letters'>;

/** A transport that does not answer leaves what Postgres knows of its groups. */
async function readGroups(ports: StatusPorts): Promise<{ groups: GroupReading[]; fault: string | null }> {
  const before = await readStreams(ports.sql);
  const startedAt = performance.now();
  await sleep(ports.sampleMs);
  const known = subjectsOf(before);
  try {
    const readers = await ports.transport.readers(known.map(({ group }) => group));
    const groups = known.map((subject) => readGroup(ports, subject, startedAt, readers.get(subject.group) ?? (() => null)));
    return { groups: await Promise.all(groups), fault: null };
  } catch (error) {
    if (ports.transport.kind === 'embedded') throw error;
    return { groups: known.map(unread), fault: error instanceof Error ? error.message : String(error) };
  }
}

/** A group to be told of, with what Postgres knows of its streams. */
interface Subject {
  readonly group: string;
  readonly topics: readonly Topic[];
  readonly states: readonly StreamState[];
}

/** The groups of this version, in its order, and then those of others that have left their places. */
function subjectsOf(states: readonly StreamState[]): Subject[] {
  const byGroup = Map.groupBy(states, ({ groupId }) => groupId);
  const topics = new Map(knownGroups().map(({ id, topics: read }) => [id, read]));
  return [...new Set([...topics.keys(), ...byGroup.keys()])].map((group) => {
    const seen = byGroup.get(group) ?? [];
    return { group, states: seen, topics: [...new Set([...(topics.get(group) ?? []), ...seen.map(({ topic }) => topic)])] };
  });
}

async function readGroup({ transport }: StatusPorts, { group, topics, states: before }: Subject, startedAt: number, readerOf: Readers): Promise<GroupReading> {
  const lags = await transport.lags.lag(group, topics);
  const seconds = (performance.now() - startedAt) / 1_000;
  const cursors = new Map(before.map((state) => [streamName(state), state.cursor]));
  const partitions = await Promise.all(
    lags.map(async (stream) => {
      const taken = stream.cursor === null ? 0 : await transport.lags.between(stream, cursors.get(streamName(stream)) ?? null, stream.cursor);
      return partitionStatus(stream, taken / seconds, readerOf(stream));
    }),
  );
  const rate = sum(partitions.map(({ records_per_second }) => records_per_second ?? 0));
  return { group, lag: totalLag(lags), records_per_second: rate, last_progress: latest(lags.map(({ takenAt }) => takenAt)), partitions };
}

function partitionStatus({ topic, partition, records, takenAt }: StreamLag, rate: number, reader: string | null): PartitionStatus {
  return { topic, partition, lag: records, records_per_second: rate, last_progress: takenAt === null ? null : timeOf(takenAt), reader };
}

function unread({ group, states }: Subject): GroupReading {
  const partitions = states.map(({ topic, partition, takenAt }) => ({ topic, partition, lag: null, records_per_second: null, last_progress: timeOf(takenAt), reader: null }));
  return { group, lag: null, records_per_second: null, last_progress: latest(states.map(({ takenAt }) => takenAt)), partitions };
}

const timeOf = (at: number): string => new Date(at).toISOString();
const latest = (times: readonly (number | null)[]): string | null => {
  const known = times.filter((at) => at !== null);
  return known.length === 0 ? null : timeOf(Math.max(...known));
};
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
