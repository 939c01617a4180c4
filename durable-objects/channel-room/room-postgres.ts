import { Buffer } from 'node:buffer';
import { connect as openTcp } from 'cloudflare:sockets';
import { connect, type Connection, type Sql } from '../../db/client.ts';
import { DriverSocket } from '../../db/driver-socket.ts';
import { classifyPostgresError } from '../../db/errors.ts';
import { drainBatch, skipPoison } from '../../db/queries/drain.ts';
import { poisonedSeqs, storedEvents } from '../../db/queries/resume.ts';
import {
  channelMembers, channelMessages, channelReactions, claimLog, type ClaimedLog, findLogPlace, findMembership, keepForkedEvents, moveLog,
} from '../../db/queries/room-bootstrap.ts';
import type { RoomRecord, StoredChannel } from './room-record.ts';

/** A burst keeps its connection; an open one keeps the object awake, so it goes soon after. */
const IDLE_MS = 500;
const QUERY_MS = 15_000;
/** Reading a channel of a million messages whole. */
const READ_CHANNEL_MS = 300_000;

class TimedOut extends Error {}

/** Postgres as a room uses it: a client for a burst of work, each query with a time limit. */
export function roomPostgres(connectionString: () => string, clock: () => number): RoomRecord {
  const burst = new Burst(connectionString, clock);
  return {
    readChannel: (channelId, read) => burst.run((sql) => readChannel(sql, channelId, read), READ_CHANNEL_MS),
    findMembership: (channelId, userId) => burst.run((sql) => findMembership(sql, channelId, userId)),
    drainBatch: (claim, eventsJson) => burst.run((sql) => drainBatch(sql, { ...claim, eventsJson })),
    skipPoison: (claim, { seq, json }, error) =>
      burst.run((sql) => skipPoison(sql, { ...claim, seq, eventJson: json, errorClass: 'data', errorMessage: String(error) })),
    isDataFault: (error) => classifyPostgresError(error) === 'data',
    eventsBetween: (channelId, after, before, limit) => burst.run((sql) => storedEvents(sql, channelId, after, before, limit)),
    poisonBetween: (channelId, after, before) => burst.run((sql) => poisonedSeqs(sql, channelId, after, before)),
    findLogPlace: (channelId) => burst.run((sql) => findLogPlace(sql, channelId)),
    moveLog: (move) => burst.run((sql) => moveLog(sql, move)),
    keepForkedEvents: (channelId, epoch, events) =>
      burst.run((sql) => keepForkedEvents(sql, channelId, epoch, `[${events.map((event) => event.json).join(',')}]`)),
    rest: () => burst.rest(),
  };
}

async function readChannel(sql: Sql, channelId: string, read: (channel: StoredChannel) => Promise<void>): Promise<ClaimedLog | null> {
  return await sql.begin(async (tx) => {
    const claimed = await claimLog(tx, channelId);
    if (claimed === null) return null;
    await read({
      members: () => channelMembers(tx, channelId),
      messages: () => channelMessages(tx, channelId),
      reactions: () => channelReactions(tx, channelId),
    });
    return claimed;
  });
}

function openConnection(connectionString: string): Connection {
  return connect(connectionString, {
    max: 2,
    applicationName: 'colink-room',
    openSocket: (address) => new DriverSocket(openTcp(address), (bytes) => Buffer.from(bytes)),
  });
}

class Burst {
  readonly #connectionString: () => string;
  readonly #clock: () => number;
  #connection: Connection | null = null;
  #running = 0;
  #usedAt = 0;

  constructor(connectionString: () => string, clock: () => number) {
    this.#connectionString = connectionString;
    this.#clock = clock;
  }

  async run<T>(work: (sql: Sql) => Promise<T>, limitMs = QUERY_MS): Promise<T> {
    const connection = (this.#connection ??= openConnection(this.#connectionString()));
    this.#running += 1;
    try {
      return await withLimit(work(connection.sql), limitMs);
    } catch (error) {
      // A client that has failed waits before it tries again; the next burst brings its own.
      if (classifyPostgresError(error) !== 'data') this.#drop(connection, 0);
      throw error;
    } finally {
      this.#running -= 1;
      this.#usedAt = this.#clock();
    }
  }

  rest(): boolean {
    if (this.#running > 0 || (this.#connection !== null && this.#clock() - this.#usedAt < IDLE_MS)) return false;
    if (this.#connection !== null) this.#drop(this.#connection, 1);
    return true;
  }

  #drop(connection: Connection, timeoutSeconds: number): void {
    if (this.#connection === connection) this.#connection = null;
    connection.close(timeoutSeconds).catch(() => {});
  }
}

async function withLimit<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimedOut(`Postgres did not answer within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
