import type { Context } from 'hono';
import { connect, type Connection, type Database, type Transaction } from '../db/client.ts';
import { DriverSocket } from '../db/driver-socket.ts';
import { type Acting, actAs } from '../db/queries/audit.ts';
import { findWritePosition } from '../db/queries/replication.ts';
import { CONSISTENCY_HEADER } from '../protocol/consistency.ts';
import { within } from './deadline.ts';
import type { AppEnv } from './env.ts';
import type { Identity } from './identity/identity.ts';
import { encodeToken } from './replica/token.ts';

/** Longest a request waits for Postgres, in milliseconds, connecting included. */
const PATIENCE_MS = 10_000;

/** Runs work on the primary, on a connection of this request's own, as the platform demands, and closes it after the answer. */
export const withPostgres = <T>(c: Context<AppEnv>, work: (db: Database) => Promise<T>): Promise<T> => withPrimary(c, ({ db }) => work(db));

export const withPrimary = <T>(c: Context<AppEnv>, work: (connection: Connection) => Promise<T>): Promise<T> => withConnection(c, c.env.POSTGRES, work);

/** The same on the replica `POSTGRES_REPLICA`: for `readNear` alone, which knows what it may answer. */
export const withReplica = <T>(c: Context<AppEnv>, replica: Pick<Hyperdrive, 'connectionString'>, work: (connection: Connection) => Promise<T>): Promise<T> =>
  withConnection(c, replica, work);

async function withConnection<T>(
  c: Context<AppEnv>,
  server: Pick<Hyperdrive, 'connectionString'>,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await open(server.connectionString);
  const working = work(connection);
  // The work outlives a client that hangs up: others may wait for what it brings, and a transaction is not left open.
  c.executionCtx.waitUntil(finish(connection, working));
  return within(PATIENCE_MS, working);
}

/** The platform's module is asked for at the first connection, because the app's description is also made where there is none. */
async function open(url: string): Promise<Connection> {
  const { connect: openTcp } = await import('cloudflare:sockets');
  const openSocket = (address: SocketAddress) => new DriverSocket(openTcp(address), (bytes) => Buffer.from(bytes));
  return connect(url, { max: 1, applicationName: 'colink-worker', connectTimeout: 5, keepsStatements: true, openSocket });
}

/** Runs work on the primary in one transaction, which knows who acts (`recordAct`). The answer then bears a consistency token, if there is a replica that may not have it yet. */
export const inTransaction = <T>(c: Context<AppEnv>, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  withPrimary(c, async (connection) => {
    const result = await connection.db.transaction(async (tx) => {
      // Goes out together with the first statement of the work, so it costs no round trip.
      const told = actAs(tx, actingOf(c));
      return (await Promise.all([work(tx), told]))[0];
    });
    if (c.env.POSTGRES_REPLICA !== undefined) c.get('answer').headers[CONSISTENCY_HEADER] = await tokenOf(connection);
    return result;
  });

/** Before somebody has signed in, nobody acts. */
function actingOf(c: Context<AppEnv>): Acting {
  const identity: Identity | undefined = c.get('identity');
  const requestId = c.get('requestId');
  return identity === undefined ? { requestId } : { requestId, actorId: identity.actor.user_id, credentialId: identity.actor.credential_id };
}

/** The work is committed, so nothing that fails here may fail it. */
async function tokenOf({ sql }: Connection): Promise<string> {
  return encodeToken(await findWritePosition(sql).catch(() => null));
}

async function finish(connection: Connection, working: Promise<unknown>): Promise<void> {
  await working.catch(() => {});
  await connection.close(1).catch(() => {});
}
