import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chown, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, parse, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { installedPostgres, packagedPostgres, type PostgresInstall, program } from './postgres-install.ts';
import { closedDirectory, openTwin, serviceUser, type ServiceUser } from './unprivileged.ts';

const run = promisify(execFile);

/** Why Postgres did not start. The message says what to do. */
export type PostgresFault = 'no_binaries' | 'wrong_version' | 'in_use' | 'port_taken' | 'init_failed' | 'start_failed' | 'too_slow';

export class PostgresStartError extends Error {
  override readonly name = 'PostgresStartError';
  readonly fault: PostgresFault;
  constructor(fault: PostgresFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

export interface PostgresOptions {
  /** Made where it is missing. What it holds is kept from start to start. */
  readonly dataDir: string;
  /** Loopback port; absent or 0: a free one. */
  readonly port?: number;
  /** Server settings, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
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
/** Children of a killed server give its shared memory back when they notice its death. */
const ORPHAN_SECONDS = 30;
const STOP_SECONDS = 25;
const FREE_PORT_ATTEMPTS = 5;

interface Cluster {
  readonly dataDir: string;
  readonly install: PostgresInstall;
  readonly user: ServiceUser | null;
}

/** Starts Postgres on loopback with the database `colink`. Throws `PostgresStartError`. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const cluster = await openCluster(options);
  await initialise(cluster);
  await endLeftover(cluster, options.log);
  const running = await launch(cluster, options);
  await createDatabase(running.port);
  return running;
}

async function openCluster(options: PostgresOptions): Promise<Cluster> {
  const user = serviceUser();
  const install = options.binDir === undefined ? await packagedPostgres(user) : await installedPostgres(options.binDir);
  if (install === null) {
    throw new PostgresStartError('no_binaries', `no Postgres ${options.binDir ? `in ${options.binDir}` : 'from npm for this platform'}`);
  }
  return { install, user, dataDir: await reachableDirectory(resolve(options.dataDir), user, options.log) };
}

async function reachableDirectory(wanted: string, user: ServiceUser | null, log?: (line: string) => void): Promise<string> {
  const closed = await closedDirectory(dirname(wanted), user);
  if (closed === null) return wanted;
  const twin = join(openTwin(wanted), 'postgres');
  log?.(`Postgres refuses root and its stand-in may not enter ${closed}: the data is in ${twin}`);
  return twin;
}

/** A cluster is made beside its place and renamed into it, so a half-made one is never taken for whole. */
async function initialise(cluster: Cluster): Promise<void> {
  const version = await readFile(join(cluster.dataDir, 'PG_VERSION'), 'utf8').catch(() => null);
  if (version !== null) return checkVersion(cluster, Number.parseInt(version, 10));
  const draft = `${cluster.dataDir}.init`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(dirname(draft), { recursive: true });
  await mkdir(draft, { mode: 0o700 });
  if (cluster.user !== null) await chown(draft, cluster.user.uid, cluster.user.gid);
  await initdb(cluster, draft);
  await rename(draft, cluster.dataDir).catch((error: Error) => {
    throw new PostgresStartError('init_failed', `${cluster.dataDir} is there already and is no Postgres data directory (${error.message})`);
  });
}

function checkVersion(cluster: Cluster, major: number): void {
  if (major === cluster.install.major) return;
  throw new PostgresStartError('wrong_version', `${cluster.dataDir} was made by Postgres ${major}, and this is ${cluster.install.major}: move it away, or use that version`);
}

/** Collation C sorts alike everywhere. The character type must know Unicode: with C, pg_trgm drops every letter beyond ASCII. */
const CHARACTER_TYPES = ['C.UTF-8', 'en_US.UTF-8', 'UTF-8', 'C'];

async function initdb(cluster: Cluster, directory: string): Promise<void> {
  let reason = '';
  for (const ctype of CHARACTER_TYPES) {
    const args = ['-D', directory, '-U', 'colink', '--auth=trust', '--encoding=UTF8', '--locale=C', `--lc-ctype=${ctype}`];
    const failure = await run(program(cluster.install, 'initdb'), args, processOptions(cluster)).then(() => null, (error: Error) => error.message);
    if (failure === null) return;
    reason = failure;
    if (!/invalid locale|lc-ctype|LC_CTYPE/i.test(failure)) break;
  }
  throw new PostgresStartError('init_failed', reason);
}

function processOptions(cluster: Cluster) {
  const env = { PATH: process.env['PATH'] ?? '', TZ: 'UTC', ...(process.platform === 'win32' && process.env) };
  return { cwd: parse(cluster.dataDir).root, env, ...cluster.user };
}

/** Two files of the data directory: the server's own, and ours, which names the process that started it. */
const lockFile = (cluster: Cluster): string => join(cluster.dataDir, 'postmaster.pid');
const launcherFile = (cluster: Cluster): string => join(cluster.dataDir, 'launcher.pid');

/** A launcher killed outright leaves its server behind: that one is stopped. One whose launcher lives is left alone. */
async function endLeftover(cluster: Cluster, log?: (line: string) => void): Promise<void> {
  const lock = await readLock(cluster);
  if (lock === null || !isAlive(lock.pid) || !(await servesFrom(cluster, lock.port))) return;
  const launcher = Number(await readFile(launcherFile(cluster), 'utf8').catch(() => '0'));
  if (launcher !== process.pid && isAlive(launcher)) {
    throw new PostgresStartError('in_use', `${cluster.dataDir} is served by process ${lock.pid}, which process ${launcher} started`);
  }
  if (launcher === process.pid) throw new PostgresStartError('in_use', `${cluster.dataDir} is served by this process already`);
  log?.(`stopping Postgres ${lock.pid}, which an earlier run left behind`);
  await stopServer(cluster, 'fast');
}

async function readLock(cluster: Cluster): Promise<{ pid: number; port: number; ready: boolean } | null> {
  const lines = (await readFile(lockFile(cluster), 'utf8').catch(() => '')).split('\n');
  if (lines.length < 4) return null;
  return { pid: Number(lines[0]), port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
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
      return await launchOn(cluster, wanted === 0 ? await freePort() : wanted, options.settings ?? {});
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

async function launchOn(cluster: Cluster, port: number, settings: Readonly<Record<string, string>>): Promise<RunningPostgres> {
  const orphansGoneBy = Date.now() + ORPHAN_SECONDS * 1000;
  for (;;) {
    const server = await spawnServer(cluster, port, settings);
    const failure = await readiness(cluster, server);
    if (failure === null) return handle(cluster, port, server);
    if (/shared memory block .* still in use|lock file .* already exists/s.test(failure) && Date.now() < orphansGoneBy) await sleep(250);
    else throw startError(cluster, port, failure);
  }
}

interface Server {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly logFile: string;
  /** Size of the log file before this start. */
  readonly logFrom: number;
}

async function spawnServer(cluster: Cluster, port: number, settings: Readonly<Record<string, string>>): Promise<Server> {
  const logFile = join(cluster.dataDir, 'server.log');
  const log = await open(logFile, 'a', 0o644);
  const { size } = await log.stat();
  const flags = Object.entries({ ...SETTINGS, ...settings, port: String(port) }).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  // A process group of its own: an interrupt at the terminal is for the launcher, which stops Postgres last.
  const child = spawn(program(cluster.install, 'postgres'), ['-D', cluster.dataDir, ...flags], {
    ...processOptions(cluster),
    detached: process.platform !== 'win32',
    stdio: ['ignore', log.fd, log.fd],
  });
  const exited = new Promise<number | null>((done) => {
    child.once('exit', (code) => done(code));
    child.once('error', () => done(null));
  });
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
  return new PostgresStartError('start_failed', output.trim().split('\n').slice(-10).join('\n'));
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
