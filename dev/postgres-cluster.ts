import { execFile } from 'node:child_process';
import { chown, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';
import { promisify } from 'node:util';
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

/** A data directory with the programs and the user that serve it. */
export interface Cluster {
  readonly dataDir: string;
  readonly install: PostgresInstall;
  readonly user: ServiceUser | null;
}

interface ClusterOptions {
  readonly dataDir: string;
  readonly binDir?: string;
  readonly log?: (line: string) => void;
}

/** Where `binDir` is absent, the programs from npm. The directory may be another than `dataDir`: one that Postgres can enter. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const user = serviceUser();
  const install = options.binDir === undefined ? await packagedPostgres(user) : await installedPostgres(options.binDir);
  if (install === null) {
    throw new PostgresStartError('no_binaries', `no Postgres ${options.binDir ? `in ${options.binDir}` : 'from npm for this platform'}`);
  }
  return { install, user, dataDir: await reachableDirectory(resolve(options.dataDir), user, options.log) };
}

async function reachableDirectory(wanted: string, user: ServiceUser | null, log?: (line: string) => void): Promise<string> {
  // Made before it is looked at: a strict umask closes it too.
  await mkdir(dirname(wanted), { recursive: true });
  const closed = await closedDirectory(dirname(wanted), user);
  if (closed === null) return wanted;
  const twin = join(await openTwin(wanted), 'postgres');
  log?.(`Postgres refuses root and its stand-in may not enter ${closed}: the data is in ${twin}`);
  return twin;
}

/** A cluster is made beside its place and renamed into it, so a half-made one is never taken for whole. */
export async function initialise(cluster: Cluster): Promise<void> {
  const version = await readFile(join(cluster.dataDir, 'PG_VERSION'), 'utf8').catch(() => null);
  if (version !== null) return checkVersion(cluster, Number.parseInt(version, 10));
  const draft = `${cluster.dataDir}.init`;
  await rm(draft, { recursive: true, force: true });
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

/** How its programs are to be run. */
export function processOptions(cluster: Cluster) {
  const env = { PATH: process.env['PATH'] ?? '', TZ: 'UTC', ...(process.platform === 'win32' && process.env) };
  return { cwd: parse(cluster.dataDir).root, env, ...cluster.user };
}
