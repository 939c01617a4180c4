import type { RoomRecord } from '../../durable-objects/channel-room/room-record.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { integer } from '../../client/testing/random.ts';
import type { Schedule } from './schedule.ts';
import type { StoredChannel } from './stored-channel.ts';

/** How Postgres is reached just now. */
export interface Reach {
  away: boolean;
  /** Of 1: answers that are lost after the transaction was committed. */
  lost: number;
  /** Milliseconds at most, each way. */
  latency: number;
}

interface RecordPorts {
  readonly schedule: Schedule;
  readonly random: () => number;
  readonly stored: StoredChannel;
  readonly reach: Reach;
  /** Whether the instance that asks still lives; a dead one hears nothing, though what it asked for is done. */
  alive(): boolean;
  drained(events: readonly ChannelEvent[]): void;
}

const IDLE_MS = 500;

class Unreachable extends Error {}

/** The record behind one instance of a room, over a network that may fail before a transaction, or after it. */
export function simulatedRecord(ports: RecordPorts): RoomRecord {
  const { stored, schedule } = ports;
  const use = { running: 0, at: Number.NEGATIVE_INFINITY };
  const ask = async <T>(transaction: () => T | Promise<T>): Promise<T> => {
    use.running += 1;
    try {
      return await asked(ports, transaction);
    } finally {
      use.running -= 1;
      use.at = schedule.now();
    }
  };
  return {
    readChannel: (_, read) =>
      ask(async () => {
        // A transaction of several round trips, which holds the log's row: it ends with the instance, and none begins meanwhile.
        if (!ports.alive()) throw new Unreachable('the transaction is rolled back');
        const claimed = stored.claim();
        await read({ members: () => pages(stored.memberRows()), messages: () => pages(stored.messageRows()), reactions: () => pages(stored.reactionRows()) });
        return claimed;
      }),
    findMembership: (_, userId) => ask(() => stored.findMembership(userId)),
    drainBatch: (claim, eventsJson) =>
      ask(() => {
        const before = stored.events.length;
        const answer = stored.drain(claim, JSON.parse(eventsJson));
        ports.drained(stored.events.slice(before));
        return answer;
      }),
    skipPoison: () => Promise.reject(new Unreachable('nothing is poison here')),
    isDataFault: () => false,
    eventsBetween: (_, after, before, limit) =>
      ask(() => stored.events.slice(after, Math.min(before - 1, after + limit)).map((event) => ({ seq: event.seq, json: JSON.stringify(event) }))),
    poisonBetween: () => ask(() => []),
    findLogPlace: () => ask(() => stored.findPlace()),
    moveLog: (move) => ask(() => stored.move(move)),
    keepForkedEvents: () => ask(() => {}),
    rest: () => use.running === 0 && schedule.now() - use.at >= IDLE_MS,
  };
}

async function asked<T>({ schedule, random, reach, alive }: RecordPorts, transaction: () => T | Promise<T>): Promise<T> {
  await schedule.delay(integer(random, reach.latency));
  const lost = reach.away || random() < reach.lost / 2;
  const value = lost ? null : { of: await transaction() };
  await schedule.delay(integer(random, reach.latency));
  if (!alive()) return await new Promise<never>(() => {});
  if (value === null || reach.away || random() < reach.lost) throw new Unreachable('Postgres did not answer');
  return value.of;
}

async function* pages<T>(rows: readonly T[]): AsyncGenerator<readonly T[]> {
  yield rows;
}
