import type { FleetStatus, GroupStatus, PartitionStatus, RelayStatus } from '../../consumers/status/fleet-status.ts';

/** A status in lines for a person. `all`: partitions without lag, too. */
export function describeFleet(status: FleetStatus, { all }: { readonly all: boolean }): string[] {
  const now = Date.parse(status.at);
  return [
    `transport  ${status.transport}${status.kafka_fault === null ? '' : `, which does not answer: ${status.kafka_fault}`}`,
    ...(status.relay === null ? [] : describeRelay(status.relay, now)),
    ...status.groups.flatMap((group) => describeGroup(group, now, all)),
    ...(status.drain_dead_letters === 0 ? [] : [`drain  ${count(status.drain_dead_letters)} dead letters`]),
  ];
}

function describeRelay({ oldest_unrelayed_seconds: oldest, shards }: RelayStatus, now: number): string[] {
  const backlog = oldest === null ? 'everything is relayed' : `oldest unrelayed event ${seconds(oldest)} old`;
  const lines = shards.map(({ shard, leader, fence, last_progress }) => `  shard ${shard}  led by ${leader ?? 'nobody'}, fence ${fence}, place stored ${ago(last_progress, now)}`);
  return [`relay  ${backlog}`, ...(lines.length === 0 ? ['  nobody has led it yet'] : lines)];
}

function describeGroup(group: GroupStatus, now: number, all: boolean): string[] {
  const { parked_keys: parked, dead_letters: dead } = group;
  const faults = [...(parked > 0 ? [`${count(parked)} parked keys`] : []), ...(dead > 0 ? [`${count(dead)} dead letters`] : [])];
  const isUnused = group.last_progress === null && group.partitions.every(({ reader }) => reader === null);
  const partitions = group.partitions.filter(({ lag, reader }) => all || (!isUnused && (lag !== 0 || reader === null)));
  return [
    [group.group, progress(group, now), ...(isUnused ? ['read by nobody'] : []), ...faults].join('  '),
    ...partitions.map((partition) => describePartition(partition, now)),
  ];
}

function describePartition(partition: PartitionStatus, now: number): string {
  return `  ${partition.topic}/${partition.partition}  ${progress(partition, now)}  read by ${partition.reader ?? 'nobody'}`;
}

function progress({ lag, records_per_second: rate, last_progress: at }: Pick<PartitionStatus, 'lag' | 'records_per_second' | 'last_progress'>, now: number): string {
  return `lag ${lag === null ? 'unknown' : count(lag)}  ${rate === null ? '?' : count(Math.round(rate))}/s  last batch ${at === null ? 'never' : ago(at, now)}`;
}

const count = (number: number): string => number.toLocaleString('en-US');
const ago = (at: string, now: number): string => `${seconds(Math.max(0, now - Date.parse(at)) / 1_000)} ago`;

/** `0.4 s`, `31 s`, `12 min`, `5 h`, `3 d`. */
function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7_200) return `${Math.round(value / 60)} min`;
  return value < 172_800 ? `${Math.round(value / 3_600)} h` : `${Math.round(value / 86_400)} d`;
}
