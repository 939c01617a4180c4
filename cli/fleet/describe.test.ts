import { describe, expect, it } from 'vitest';
import type { FleetStatus, GroupStatus } from '../../consumers/status/fleet-status.ts';
import { describeFleet } from './describe.ts';

const at = '2026-11-26T12:00:00.000Z';
const partition = { topic: 'message.events', partition: 0, lag: 0, records_per_second: 0, last_progress: '2026-11-26T11:59:59.500Z', reader: 'pod-a:1' };
const group: GroupStatus = { group: 'search-indexer', lag: 0, records_per_second: 12.4, last_progress: '2026-11-26T11:59:59.500Z', parked_keys: 0, dead_letters: 0, partitions: [partition] };
const status: FleetStatus = { at, transport: 'kafka', kafka_fault: null, relay: null, groups: [group], drain_dead_letters: 0 };

describe('describeFleet', () => {
  it('has one line for a group without lag', () => {
    expect(describeFleet(status, { all: false })).toEqual(['transport  kafka', 'search-indexer  lag 0  12/s  last batch 0.5 s ago']);
  });

  it('names each partition that lags or that nobody reads, and all of them when asked to', () => {
    const partitions = [partition, { ...partition, partition: 1, lag: 1_204 }, { ...partition, partition: 2, reader: null, last_progress: null }];
    const seen = { ...status, groups: [{ ...group, lag: 1_204, partitions }] };
    expect(describeFleet(seen, { all: false }).slice(2)).toEqual([
      '  message.events/1  lag 1,204  0/s  last batch 0.5 s ago  read by pod-a:1',
      '  message.events/2  lag 0  0/s  last batch never  read by nobody',
    ]);
    expect(describeFleet(seen, { all: true })).toHaveLength(5);
  });

  it('has one line for a group that never took a batch and that nobody reads, and the partitions of one that somebody begins to', () => {
    const never = { ...group, group: 'cache-invalidator', lag: 7, records_per_second: 0, last_progress: null };
    const partitions = [0, 1].map((n) => ({ ...partition, partition: n, lag: n * 7, last_progress: null, reader: null as string | null }));
    const unused = { ...status, groups: [{ ...never, partitions }] };
    expect(describeFleet(unused, { all: false }).slice(1)).toEqual(['cache-invalidator  lag 7  0/s  last batch never  read by nobody']);
    expect(describeFleet(unused, { all: true })).toHaveLength(4);
    const beginning = { ...status, groups: [{ ...never, partitions: partitions.map((one) => ({ ...one, reader: 'pod-a:1' })) }] };
    expect(describeFleet(beginning, { all: false }).slice(1)).toEqual([
      'cache-invalidator  lag 7  0/s  last batch never',
      '  message.events/1  lag 7  0/s  last batch never  read by pod-a:1',
    ]);
  });

  it('says who leads the relay, and how old the oldest event is that is not in Kafka', () => {
    const shards = [
      { shard: 0, leader: 'pod-a:1', fence: '7', last_progress: '2026-11-26T11:58:00.000Z' },
      { shard: 1, leader: null, fence: '2', last_progress: '2026-11-26T10:00:00.000Z' },
    ];
    expect(describeFleet({ ...status, relay: { oldest_unrelayed_seconds: 31, shards }, groups: [] }, { all: false })).toEqual([
      'transport  kafka',
      'relay  oldest unrelayed event 31 s old',
      '  shard 0  led by pod-a:1, fence 7, place stored 2 min ago',
      '  shard 1  led by nobody, fence 2, place stored 2 h ago',
    ]);
  });

  it('says what waits for a person, and that Kafka does not answer', () => {
    const seen = { ...status, kafka_fault: 'connect ECONNREFUSED', groups: [{ ...group, lag: null, records_per_second: null, parked_keys: 2, dead_letters: 3 }], drain_dead_letters: 1 };
    expect(describeFleet(seen, { all: false })).toEqual([
      'transport  kafka, which does not answer: connect ECONNREFUSED',
      'search-indexer  lag unknown  ?/s  last batch 0.5 s ago  2 parked keys  3 dead letters',
      'drain  1 dead letters',
    ]);
  });
});
