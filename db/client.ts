import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import type { DriverSocket } from './driver-socket.ts';
import { isPlannedOnce } from './planned-once.ts';

export type Sql = postgres.Sql;
export type Database = PostgresJsDatabase;
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];
/** What a query runs on: in a transaction or by itself. */
export type Queryable = Database | Transaction;

export interface Connection {
  readonly sql: Sql;
  readonly db: Database;
  /** Ends the sockets, waiting at most `timeoutSeconds` (default 5) for queries under way. */
  close(timeoutSeconds?: number): Promise<void>;
}

export interface ConnectOptions {
  /** Most sockets of this client. */
  readonly max: number;
  readonly applicationName: string;
  /** Seconds after which an idle socket closes; 0 keeps it. */
  readonly idleTimeout?: number;
  /** Seconds a connect may take. */
  readonly connectTimeout?: number;
  /** Milliseconds after which Postgres ends a session that has a transaction open and asks nothing; none by default. */
  readonly idleInTransaction?: number;
  /**
   * Names the statements that are `plannedOnce`, so that Postgres, or a pool that remembers them from one client to the next, does. Not behind a pool that lends connections by
   * transaction and does not remember.
   */
  readonly keepsStatements?: boolean;
  /** Opens the TCP connections; the driver does it itself otherwise. Without TLS: Hyperdrive's addresses have none. */
  readonly openSocket?: (address: { readonly hostname: string; readonly port: number }) => DriverSocket;
}

/** A client for one Postgres. Types are not fetched at connect: Colink uses built-in types only, and the round trip would cost every Worker request. */
export function connect(url: string, options: ConnectOptions): Connection {
  const sql = postgres(url, {
    max: options.max,
    fetch_types: false,
    prepare: true,
    idle_timeout: options.idleTimeout ?? 0,
    connect_timeout: options.connectTimeout ?? 5,
    backoff: retryDelay,
    connection: {
      application_name: options.applicationName,
      ...(options.idleInTransaction !== undefined && { idle_in_transaction_session_timeout: options.idleInTransaction }),
    },
    onnotice: () => {},
    ...(options.openSocket && { socket: opener(options.openSocket) }),
  });
  const db = drizzle(options.keepsStatements === true ? keeping(sql) : sql);
  return { sql, db, close: (timeoutSeconds = 5) => sql.end({ timeout: timeoutSeconds }) };
}

/**
 * The same client, whose `unsafe` names what is planned once, as it names tagged queries. drizzle asks by `unsafe` alone and has no statement named that has not got a name from the query's
 * author, whatever the client is set to (drizzle-orm 0.45.4, its issue 6096).
 */
function keeping<C extends postgres.Sql | postgres.TransactionSql>(client: C): C {
  return new Proxy(client, {
    get(target, key): unknown {
      if (key === 'unsafe') return (text: string, parameters: never[], options?: postgres.UnsafeQueryOptions) => target.unsafe(text, parameters, { ...options, prepare: isPlannedOnce(text) });
      if (key === 'begin' && 'begin' in target) return (work: (tx: postgres.TransactionSql) => unknown) => target.begin((tx) => work(keeping(tx)));
      if (key === 'savepoint' && 'savepoint' in target) return (work: (tx: postgres.TransactionSql) => unknown) => target.savepoint((tx) => work(keeping(tx)));
      return Reflect.get(target, key);
    },
  });
}

/**
 * Seconds before the next attempt to connect. The driver counts failures of all sockets together and waits up to 20 s, with queries behind it that can neither fail nor be given
 * up: where Postgres was away, a fleet of many pollers took 23 s to end (postgres 3.4.9).
 */
const retryDelay = (failures: number): number => Math.min(0.5, 0.01 * 3 ** Math.min(failures, 5)) * (0.5 + Math.random() / 2);

/** The driver hands over its own options, of which its types know nothing. */
function opener(open: NonNullable<ConnectOptions['openSocket']>): (parsed: { host: string[]; port: number[] }) => DriverSocket {
  return ({ host: [hostname = 'localhost'], port: [port = 5432] }) => open({ hostname, port });
}
