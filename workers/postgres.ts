import type { Context } from 'hono';
import { connect, type Connection, type Database, type Transaction } from '../db/client.ts';
import { DriverSocket } from '../db/driver-socket.ts';
import { within } from './deadline.ts';
import type { AppEnv } from './env.ts';

/** Longest a request waits for Postgres, in milliseconds, connecting included. */
const PATIENCE_MS = 10_000;

/** Runs work on a connection of this request's own, as the platform demands, and closes it after the answer. */
export async function withPostgres<T>(c: Context<AppEnv>, work: (db: Database) => Promise<T>): Promise<T> {
  const connection = await open(c.env.POSTGRES.connectionString);
  const working = work(connection.db);
  // The work outlives a client that hangs up: others may wait for what it brings, and a transaction is not left open.
  c.executionCtx.waitUntil(finish(connection, working));
  return within(PATIENCE_MS, working);
}

/** The platform's module is asked for at the first connection, because the app's description is also made where there is none. */
async function open(url: string): Promise<Connection> {
  const { connect: openTcp } = await import('cloudflare:sockets');
  const openSocket = (address: SocketAddress) => new DriverSocket(openTcp(address), (bytes) => Buffer.from(bytes));
  return connect(url, { max: 1, applicationName: 'colink-worker', connectTimeout: 5, openSocket });
}

/** The same in one transaction. */
export const inTransaction = <T>(c: Context<AppEnv>, work: (tx: Transaction) => Promise<T>): Promise<T> => withPostgres(c, (db) => db.transaction(work));

async function finish(connection: Connection, working: Promise<unknown>): Promise<void> {
  await working.catch(() => {});
  await connection.close(1).catch(() => {});
}
