import { AssignerProtocol, type GroupDescription, type Kafka } from 'kafkajs';
import type { Sql } from '../../db/client.ts';
import { readRoleHolders } from '../../db/queries/relay.ts';
import type { Topic } from '../../protocol/topics.ts';
import { processOf } from '../process-name.ts';
import { eventLogLag } from '../runtime/event-log-lag.ts';
import { kafkaLag, withAdmin } from '../runtime/kafka-lag.ts';
import { type LagReader, streamName } from '../runtime/stream-lag.ts';

/** Which process reads each stream of a group. */
export type Readers = (stream: { readonly topic: string; readonly partition: number }) => string | null;

/** What can be asked of a transport from outside the fleet. */
export interface StatusTransport {
  readonly kind: 'kafka' | 'embedded';
  readonly lags: LagReader;
  readers(groupIds: readonly string[]): Promise<ReadonlyMap<string, Readers>>;
}

export function embeddedStatus(sql: Sql): StatusTransport {
  return {
    kind: 'embedded',
    lags: eventLogLag(sql),
    readers: async (groupIds) => {
      const holders = await readRoleHolders(sql, groupIds.map((readerForGroup) => ({ readerForGroup })));
      return new Map(groupIds.map((groupId, index) => [groupId, () => (holders[index] == null ? null : processOf(holders[index]))]));
    },
  };
}

export function kafkaStatus(kafka: Kafka, sql: Sql): StatusTransport {
  const { lag, between } = kafkaLag(kafka, sql);
  return {
    kind: 'kafka',
    // A fleet that has never run here has made no topics: there is nothing to be behind of.
    lags: { between, lag: async (groupId, topics) => lag(groupId, await presentOf(kafka, topics)) },
    readers: async (groupIds) => {
      const { groups } = await withAdmin(kafka, (admin) => admin.describeGroups([...groupIds]));
      return new Map(groups.map((group) => [group.groupId, readersOf(group)]));
    },
  };
}

async function presentOf(kafka: Kafka, topics: readonly Topic[]): Promise<Topic[]> {
  const present = await withAdmin(kafka, (admin) => admin.listTopics());
  return topics.filter((topic) => present.includes(topic));
}

function readersOf({ members }: GroupDescription): Readers {
  const readers = new Map<string, string>();
  for (const { clientId, memberAssignment } of members) {
    const assignment = memberAssignment.length === 0 ? null : AssignerProtocol.MemberAssignment.decode(memberAssignment);
    for (const [topic, partitions] of Object.entries(assignment?.assignment ?? {})) {
      for (const partition of partitions) readers.set(streamName({ topic, partition }), processOf(clientId));
    }
  }
  return (stream) => readers.get(streamName(stream)) ?? null;
}
