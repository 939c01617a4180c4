import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { type Child, startChild, untilReady } from './child.ts';
import { closedDirectory, openTwin, serviceUser } from './unprivileged.ts';

const START_TIMEOUT_MS = 15_000;
/** More than ever are asked for at once: where connections are lent by session, a room keeps its own for a second after its last statement, and who finds none left waits for it. */
const SERVER_CONNECTIONS = 100;
/** Far more than Colink has. */
const MOST_STATEMENTS = 500;

export interface PoolerOptions {
  readonly command: string;
  /** Holds its configuration, as far as it may enter there. */
  readonly dataDir: string;
  readonly port: number;
  readonly logFile: string;
  /** Of the Postgres behind it. */
  readonly postgresUrl: string;
}

/**
 * Whether this PgBouncer knows the statements of its clients, as Hyperdrive does, so that it can lend a connection by transaction and Postgres plans each once: from 1.21 on
 * (Debian 13 has 1.24, Debian 12 has 1.18).
 */
export async function remembersStatements(command: string): Promise<boolean> {
  const { stdout } = await promisify(execFile)(command, ['--version']);
  const [, major = '0', minor = '0'] = /PgBouncer (\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}

/**
 * Starts PgBouncer on loopback, as `nobody` where this is root. It keeps connections to Postgres open and lends each to one client until that one leaves, or by
 * transaction where it remembers statements, so that a request costs no backend of its own: what Hyperdrive does in production, and what the local emulation of it does not (Miniflare 5.20261102).
 */
export async function startPooler(options: PoolerOptions): Promise<Child> {
  const directory = await prepare(options.dataDir);
  const config = join(directory, 'pgbouncer.ini');
  await writeFile(config, configuration(options, await remembersStatements(options.command)));
  const user = serviceUser() === null ? [] : ['-u', 'nobody'];
  const child = await startChild({ command: options.command, args: [...user, config], logFile: options.logFile, graceMs: 3_000 });
  await untilReady(child, () => ask(pooledUrl(options.postgresUrl, options.port)), START_TIMEOUT_MS);
  return child;
}

/** The same database as `postgresUrl` names, by the pool. */
export function pooledUrl(postgresUrl: string, port: number): string {
  const url = new URL(postgresUrl);
  url.host = `127.0.0.1:${port}`;
  return url.href;
}

async function ask(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 2, fetch_types: false });
  await sql`SELECT 1`.finally(() => sql.end({ timeout: 1 }));
}

async function prepare(dataDir: string): Promise<string> {
  const user = serviceUser();
  const wanted = resolve(dataDir);
  await mkdir(wanted, { recursive: true });
  const directory = (await closedDirectory(wanted, user)) === null ? wanted : await openTwin(wanted);
  if (user !== null) await chown(directory, user.uid, user.gid);
  return directory;
}

function configuration({ port, postgresUrl }: PoolerOptions, byTransaction: boolean): string {
  const { hostname, port: postgresPort, pathname, username, password } = new URL(postgresUrl);
  const login = `user=${username}${password === '' ? '' : ` password=${password}`}`;
  return [
    '[databases]',
    `${pathname.slice(1)} = host=${hostname} port=${postgresPort} ${login}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    // Loopback alone, of a database that trusts loopback.
    'auth_type = any',
    ...(byTransaction ? ['pool_mode = transaction', `max_prepared_statements = ${MOST_STATEMENTS}`] : ['pool_mode = session', 'server_reset_query = DISCARD ALL']),
    'max_client_conn = 1000',
    `default_pool_size = ${SERVER_CONNECTIONS}`,
    'ignore_startup_parameters = extra_float_digits',
    'log_connections = 0',
    'log_disconnections = 0',
    '',
  ].join('\n');
}
