import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { open, readdir, readFile, readlink, realpath, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { type Cluster, initialise, openCluster, PostgresStartError, processOptions } from './postgres-cluster.ts';
import { program } from './postgres-install.ts';
import { guard } from './reaper.ts';

const run = promisify(execFile);

export interface PostgresOptions {
  /** Made where it is missing. What it holds is kept from start to start. */
  readonly dataDir: string;
  /** Loopback port; absent or 0: a free one. */
  readonly port?: number;
  /** Server settings, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Variables of the server's environment, besides those it has always. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Directory of another installation's programs. Default: the one from npm. */
  readonly binDir?: string;
  /** Takes lines worth a person's notice. */
  readonly log?: (line: string) => void;
}

export interface RunningPostgres {
  /** The database `colink`; its owner needs no password on loopback. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Where the data is: not where it was asked for, if Postgres may not enter there. */
  readonly dataDir: string;
  readonly logFile: string;
  /** Ends sessions and writes everything out, within 25 s; past that the next start recovers from the log. */
  stop(): Promise<void>;
  /** Exit code of the server, or null if a signal ended it. */
  readonly exited: Promise<number | null>;
}

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'replica',
  synchronous_commit: 'on',
  max_connections: '120',
  max_wal_size: '2GB',
  log_line_prefix: '%m [%p] %a ',
};
const START_SECONDS = 120;
/** Children of a killed server hold its shared memory until they notice its death, which a busy one does not. */
const ORPHAN_SECONDS = 30;
const STOP_SECONDS = 25;
const FREE_PORT_ATTEMPTS = 5;

/** Starts Postgres on loopback with the database `colink`. Throws `PostgresStartError`. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const cluster = await openCluster(options);
  await initialise(cluster);
  await endLeftover(cluster, options.log);
  const running = await launch(cluster, options);
  await createDatabase(running.port);
  return running;
}

/** Two files of the data directory: the server's own, and ours, which names the process that started it. */
const lockFile = (cluster: Cluster): string => join(cluster.dataDir, 'postmaster.pid');
const launcherFile = (cluster: Cluster): string => join(cluster.dataDir, 'launcher.pid');

/** A server that has outlived its launcher is stopped. One whose launcher lives is left alone. */
async function endLeftover(cluster: Cluster, log?: (line: string) => void): Promise<void> {
  const lock = await readLock(cluster);
  if (lock === null || !isAlive(lock.pid) || !(await servesFrom(cluster, lock.port))) return;
  const launcher = Number(await readFile(launcherFile(cluster), 'utf8').catch(() => '0'));
  if (isAlive(launcher)) {
    throw new PostgresStartError('in_use', `${cluster.dataDir} is served by process ${lock.pid}, which process ${launcher} started`);
  }
  log?.(`stopping Postgres ${lock.pid}, which an earlier run left behind`);
  await stopServer(cluster, 'fast');
}

async function readLock(cluster: Cluster): Promise<{ pid: number; port: number; ready: boolean } | null> {
  const lines = (await readFile(lockFile(cluster), 'utf8').catch(() => '')).split('\n');
  if (lines.length < 4) return null;
  // A standby that takes connections says so by another word.
  return { pid: Number(lines[0]), port: Number(lines[3]), ready: ['ready', 'standby'].includes(lines[7]?.trim() ?? '') };
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A process id may be another program's by now: only the server's own word counts. */
async function servesFrom(cluster: Cluster, port: number): Promise<boolean> {
  const sql = adminClient(port);
  try {
    const [row] = await sql<{ data_directory: string }[]>`SHOW data_directory`;
    return row?.data_directory === cluster.dataDir;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const adminClient = (port: number) =>
  postgres({ host: '127.0.0.1', port, user: 'colink', database: 'postgres', max: 1, fetch_types: false, connect_timeout: 5, onnotice: () => {} });

async function launch(cluster: Cluster, options: PostgresOptions): Promise<RunningPostgres> {
  const wanted = options.port ?? 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return await launchOn(cluster, wanted === 0 ? await freePort() : wanted, options);
    } catch (error) {
      const another = error instanceof PostgresStartError && error.fault === 'port_taken' && wanted === 0;
      if (!another || attempt === FREE_PORT_ATTEMPTS) throw error;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function launchOn(cluster: Cluster, port: number, options: ServerOptions): Promise<RunningPostgres> {
  const orphansGoneBy = Date.now() + ORPHAN_SECONDS * 1000;
  for (;;) {
    const server = await spawnServer(cluster, port, options);
    const failure = await readiness(cluster, server);
    if (failure === null) return handle(cluster, port, server);
    if (!/shared memory block .* still in use|lock file .* already exists/s.test(failure) || Date.now() > orphansGoneBy) {
      throw startError(cluster, port, failure);
    }
    if (/shared memory block/.test(failure)) await quitOrphans(cluster);
    await sleep(250);
  }
}

/** Quits, as their server would have, the processes that work in this data directory. They are found on Linux only. */
async function quitOrphans(cluster: Cluster): Promise<void> {
  const home = await realpath(cluster.dataDir);
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const directory = await readlink(`/proc/${pid}/cwd`).catch(() => null);
    if (directory === home) process.kill(Number(pid), 'SIGQUIT');
  }
}

type ServerOptions = Pick<PostgresOptions, 'settings' | 'environment'>;

interface Server {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly logFile: string;
  /** Size of the log file before this start. */
  readonly logFrom: number;
}

async function spawnServer(cluster: Cluster, port: number, { settings, environment }: ServerOptions): Promise<Server> {
  const logFile = join(cluster.dataDir, 'server.log');
  const log = await open(logFile, 'a', 0o644);
  const { size } = await log.stat();
  const flags = Object.entries({ ...SETTINGS, ...settings, port: String(port) }).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const common = processOptions(cluster);
  // A process group of its own: an interrupt at the terminal is for the launcher, which stops Postgres last.
  const child = spawn(program(cluster.install, 'postgres'), ['-D', cluster.dataDir, ...flags], {
    ...common,
    env: { ...common.env, ...environment },
    detached: process.platform !== 'win32',
    stdio: ['ignore', log.fd, log.fd],
  });
  const exited = new Promise<number | null>((done) => {
    child.once('exit', (code) => done(code));
    child.once('error', () => done(null));
  });
  if (child.pid !== undefined) void exited.then(guard(child.pid));
  await writeFile(launcherFile(cluster), String(process.pid));
  await log.close();
  return { child, exited, logFile, logFrom: size };
}

/** Null once the server takes connections, else what it logged before it ended. */
async function readiness(cluster: Cluster, server: Server): Promise<string | null> {
  let ended = false;
  void server.exited.then(() => (ended = true));
  for (const deadline = Date.now() + START_SECONDS * 1000; Date.now() < deadline; await sleep(25)) {
    if (ended) return (await readFile(server.logFile)).subarray(server.logFrom).toString();
    const lock = await readLock(cluster);
    if (lock?.ready && lock.pid === server.child.pid) return null;
  }
  await stopServer(cluster, 'immediate');
  throw new PostgresStartError('too_slow', `Postgres was not ready within ${START_SECONDS} s; its log is ${server.logFile}`);
}

function startError(cluster: Cluster, port: number, output: string): PostgresStartError {
  if (/Address already in use|could not bind/.test(output)) return new PostgresStartError('port_taken', `port ${port} is taken on 127.0.0.1`);
  if (/lock file .* already exists/.test(output)) return new PostgresStartError('in_use', `${cluster.dataDir} is in use: ${output.trim()}`);
  return new PostgresStartError('start_failed', output.trim().split('\n').slice(-10).join('\n') || 'Postgres could not be run');
}

function handle(cluster: Cluster, port: number, server: Server): RunningPostgres {
  let stopped: Promise<void> | undefined;
  return {
    url: `postgres://colink@127.0.0.1:${port}/colink`,
    port,
    pid: server.child.pid ?? 0,
    dataDir: cluster.dataDir,
    logFile: server.logFile,
    exited: server.exited,
    stop: () => (stopped ??= end(cluster, server)),
  };
}

async function end(cluster: Cluster, server: Server): Promise<void> {
  if (server.child.exitCode !== null || server.child.signalCode !== null) return;
  await stopServer(cluster, 'fast');
  await server.exited;
}

/** `fast` ends sessions and checkpoints; where that takes too long, `immediate` leaves the rest to recovery. */
async function stopServer(cluster: Cluster, mode: 'fast' | 'immediate'): Promise<void> {
  const args = ['stop', '-D', cluster.dataDir, '-m', mode, '-w', '-t', String(STOP_SECONDS)];
  const stopped = await run(program(cluster.install, 'pg_ctl'), args, processOptions(cluster)).then(() => true, () => false);
  if (!stopped && mode === 'fast' && (await stat(lockFile(cluster)).catch(() => null)) !== null) await stopServer(cluster, 'immediate');
}

async function createDatabase(port: number): Promise<void> {
  const sql = adminClient(port);
  try {
    const [found] = await sql`SELECT 1 FROM pg_database WHERE datname = 'colink'`;
    if (found === undefined) await sql`CREATE DATABASE colink`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
