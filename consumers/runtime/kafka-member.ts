import type { Consumer, Kafka } from 'kafkajs';
import { pause } from './backoff.ts';
import { streamName } from './stream-lag.ts';

/** How long a killed member's partitions wait for it, in milliseconds. The broker takes no less than 6 s by default. */
export const SESSION_TIMEOUT = 10_000;
const HEARTBEATS_A_SESSION = 10;
/** How long the broker is waited for when leaving, in milliseconds. */
const LEAVE_MS = 3_000;

export const heartbeatEvery = (sessionTimeout: number): number => sessionTimeout / HEARTBEATS_A_SESSION;

/** A member of a group to be. It never begins anew by itself: kafkajs' own restart cannot be called off while it waits. */
export function createMember(kafka: Kafka, groupId: string, sessionTimeout: number): Consumer {
  return kafka.consumer({
    groupId,
    sessionTimeout,
    heartbeatInterval: heartbeatEvery(sessionTimeout),
    maxWaitTimeInMs: 200,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 100, retries: 2, restartOnFailure: async () => false },
  });
}

/** The names of the streams that a group gave to a member. */
export function streamsOf(assignment: Readonly<Record<string, readonly number[]>>): ReadonlySet<string> {
  return new Set(Object.entries(assignment).flatMap(([topic, partitions]) => partitions.map((partition) => streamName({ topic, partition }))));
}

/**
 * Leaves the group: waits for the batches under way, however long they take, and not for long for the broker's answer. kafkajs lets no client go while a
 * request is out, and that of a join (`started`) is out for as long as the group is being put together: then the client leaves once it has joined,
 * or with the process.
 */
export async function leaveGroup(consumer: Pick<Consumer, 'disconnect'>, started: Promise<void>, underWay: Iterable<Promise<void>>): Promise<void> {
  const left = started.catch(() => {}).then(() => consumer.disconnect()).catch(() => {});
  await Promise.allSettled(underWay);
  const late = new AbortController();
  await Promise.race([left, pause(LEAVE_MS, late.signal)]);
  late.abort();
}
