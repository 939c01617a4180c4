import type { RoomRecord } from '../../durable-objects/channel-room/room-record.ts';
import type { Claim, LogStore } from '../../durable-objects/log/log-drain.ts';
import type { ArchivedEvent, ArchivePorts } from '../../durable-objects/log/archive.ts';
import { integer } from '../../client/testing/random.ts';
import type { Schedule } from './schedule.ts';
import type { StoredChannel } from './stored-channel.ts';
import { DataFault, type StoredLog } from './stored-log.ts';

/** How Postgres is reached just now. */
export interface Reach {
  away: boolean;
  /** Of 1: answers that are lost after the transaction was committed. */
  lost: number;
  /** Milliseconds at most, each way. */
  latency: number;
}

export interface AskPorts {
  readonly schedule: Schedule;
  readonly random: () => number;
  readonly reach: Reach;
  /** Whether the instance that asks still lives; a dead one hears nothing, though what it asked for is done. */
  alive(): boolean;
}

/** `drained`: told of what is new in Postgres, and the epoch it was drained in. */
type Drained<E> = (events: readonly E[], epoch: number) => void;

const IDLE_MS = 500;

class Unreachable extends Error {}

/** The connection of one instance to Postgres, over a network that may fail before a transaction, or after it. */
export class Asking {
  readonly #ports: AskPorts;
  #running = 0;
  #at = Number.NEGATIVE_INFINITY;

  constructor(ports: AskPorts) {
    this.#ports = ports;
  }

  get isResting(): boolean {
    return this.#running === 0 && this.#ports.schedule.now() - this.#at >= IDLE_MS;
  }

  async ask<T>(transaction: () => T | Promise<T>): Promise<T> {
    this.#running += 1;
    try {
      return await this.#asked(transaction);
    } finally {
      this.#running -= 1;
      this.#at = this.#ports.schedule.now();
    }
  }

  /** A transaction of several round trips, which holds its rows: it ends with the instance, and none begins meanwhile. */
  async transaction<T>(body: () => T | Promise<T>): Promise<T> {
    return await this.ask(() => {
      if (!this.#ports.alive()) throw new Unreachable('the transaction is rolled back');
      return body();
    });
  }

  async #asked<T>(transaction: () => T | Promise<T>): Promise<T> {
    const { schedule, random, reach, alive } = this.#ports;
    await schedule.delay(integer(random, reach.latency));
    const lost = reach.away || random() < reach.lost / 2;
    const answer = lost ? null : await settled(transaction);
    await schedule.delay(integer(random, reach.latency));
    if (!alive()) return await new Promise<never>(() => {});
    if (answer === null || reach.away || random() < reach.lost) throw new Unreachable('Postgres did not answer');
    if ('refused' in answer) throw answer.refused;
    return answer.value;
  }
}

/** What Postgres refuses is an answer, too. */
async function settled<T>(transaction: () => T | Promise<T>): Promise<{ readonly value: T } | { readonly refused: DataFault }> {
  try {
    return { value: await transaction() };
  } catch (error) {
    if (error instanceof DataFault) return { refused: error };
    throw error;
  }
}

/** The part of a record that rooms and inboxes share: the log. */
export function logStore<E extends { readonly seq: number; readonly id: string }>(stored: StoredLog<E>, { ask }: Pick<Asking, 'ask'>, drained: Drained<E>): LogStore & Omit<ArchivePorts, 'failed'> {
  return {
    drainBatch: (claim: Claim, eventsJson: string) =>
      ask(() => {
        const before = stored.events.length;
        const answer = stored.drain(claim, JSON.parse(eventsJson));
        drained(stored.events.slice(before), claim.epoch);
        return answer;
      }),
    skipPoison: (claim, { seq }) => ask(() => stored.skip(claim, seq)),
    isDataFault: (error) => error instanceof DataFault,
    findPlace: () => ask(() => stored.findPlace()),
    move: (found, to) => ask(() => stored.moveTo(found, to)),
    keepForked: () => ask(() => {}),
    eventsBetween: (after, before, limit) => ask(() => stored.between(after, before, limit).map((event): ArchivedEvent => ({ seq: event.seq, json: JSON.stringify(event) }))),
    poisonBetween: (after, before) => ask(() => stored.poisonBetween(after, before)),
  };
}

/** The record behind one instance of a room. */
export function simulatedRecord(stored: StoredChannel, asking: Asking, drained: Parameters<typeof logStore<StoredChannel['events'][number]>>[2]): RoomRecord {
  const ask: Asking['ask'] = (transaction) => asking.ask(transaction);
  const log = logStore(stored, { ask }, drained);
  return {
    readChannel: (_, read) =>
      asking.transaction(async () => {
        const claimed = stored.claim();
        await read({ members: () => pages(stored.memberRows()), messages: () => pages(stored.messageRows()), reactions: () => pages(stored.reactionRows()), pins: () => pages(stored.pinRows()), previews: () => pages(stored.previewRows()) });
        return claimed;
      }),
    findMembership: (_, userId) => ask(() => stored.findMembership(userId)),
    findEditWindow: () => ask(() => 900),
    drainBatch: (claim, ...batch) => log.drainBatch(claim, ...batch),
    skipPoison: (claim, event, error) => log.skipPoison(claim, event, error),
    isDataFault: (error) => log.isDataFault(error),
    eventsBetween: (_, ...range) => log.eventsBetween(...range),
    poisonBetween: (_, ...range) => log.poisonBetween(...range),
    findLogPlace: () => log.findPlace(),
    moveLog: (move) => ask(() => stored.move(move)),
    keepForkedEvents: () => ask(() => {}),
    rest: () => asking.isResting,
  };
}

async function* pages<T>(rows: readonly T[]): AsyncGenerator<readonly T[]> {
  yield rows;
}
