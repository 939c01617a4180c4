import { Buffer } from 'node:buffer';
import { connect as openTcp } from 'cloudflare:sockets';
import { connect, type Connection, type Sql } from '../../db/client.ts';
import { DriverSocket } from '../../db/driver-socket.ts';
import { classifyPostgresError } from '../../db/errors.ts';

/** A burst keeps its connection; an open one keeps the object awake, so it goes soon after. */
const IDLE_MS = 500;
const QUERY_MS = 15_000;

interface Client {
  readonly connection: Connection;
  running: number;
}

class TimedOut extends Error {}

function openConnection(connectionString: string, applicationName: string): Connection {
  return connect(connectionString, {
    max: 2,
    applicationName,
    openSocket: (address) => new DriverSocket(openTcp(address), (bytes) => Buffer.from(bytes)),
  });
}

/** Postgres as a Durable Object uses it: a client for a burst of work, each query with a time limit. */
export class PostgresBurst {
  readonly #connectionString: () => string;
  readonly #applicationName: string;
  readonly #clock: () => number;
  #client: Client | null = null;
  #running = 0;
  #usedAt = 0;

  constructor(connectionString: () => string, applicationName: string, clock: () => number) {
    this.#connectionString = connectionString;
    this.#applicationName = applicationName;
    this.#clock = clock;
  }

  async run<T>(work: (sql: Sql) => Promise<T>, limitMs = QUERY_MS): Promise<T> {
    const client = (this.#client ??= { connection: openConnection(this.#connectionString(), this.#applicationName), running: 0 });
    this.#count(client, 1);
    try {
      return await withLimit(work(client.connection.sql), limitMs);
    } catch (error) {
      // A client that has failed waits before it tries again; the next query brings its own. What others ask of this one goes on.
      if (classifyPostgresError(error) !== 'data' && this.#client === client) this.#client = null;
      throw error;
    } finally {
      this.#count(client, -1);
      this.#usedAt = this.#clock();
      if (this.#client !== client && client.running === 0) close(client, 0);
    }
  }

  /** Closes what is idle. False: it is in use, or was a moment ago. */
  rest(): boolean {
    if (this.#running > 0 || (this.#client !== null && this.#clock() - this.#usedAt < IDLE_MS)) return false;
    if (this.#client !== null) close(this.#client, 1);
    this.#client = null;
    return true;
  }

  #count(client: Client, by: number): void {
    client.running += by;
    this.#running += by;
  }
}

function close({ connection }: Client, timeoutSeconds: number): void {
  connection.close(timeoutSeconds).catch(() => {});
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
