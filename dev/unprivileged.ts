import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, lstat, mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Whom a service runs as that refuses root. */
export interface ServiceUser {
  readonly uid: number;
  readonly gid: number;
}

/** Where `nobody` is not in the password file, the number it has nearly everywhere. */
const NOBODY: ServiceUser = { uid: 65534, gid: 65534 };

/** The user for services that refuse root: null where this process is not root and services simply run as it. */
export function serviceUser(): ServiceUser | null {
  if (process.getuid?.() !== 0) return null;
  return lookUp('nobody') ?? NOBODY;
}

function lookUp(name: string): ServiceUser | null {
  const line = passwordFile().find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : null;
}

function passwordFile(): string[] {
  try {
    return readFileSync('/etc/passwd', 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** The first directory at or above `path` that `user` may not enter, or null. Directories that do not exist yet are not in the way. */
export async function closedDirectory(path: string, user: ServiceUser | null): Promise<string | null> {
  if (user === null) return null;
  for (const directory of ancestors(resolve(path))) {
    const found = await stat(directory).catch(() => null);
    if (found !== null && !mayEnter(found, user)) return directory;
  }
  return null;
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestors(parent), path];
}

function mayEnter(directory: { mode: number; uid: number; gid: number }, user: ServiceUser): boolean {
  if (directory.uid === user.uid) return (directory.mode & 0o100) !== 0;
  if (directory.gid === user.gid) return (directory.mode & 0o010) !== 0;
  return (directory.mode & 0o001) !== 0;
}

/**
 * A directory that stands in for `path` outside closed directories, open to all and always the same one for the same path. Others may
 * write beside it, so one that is not this process' own is refused.
 */
export async function openTwin(path: string): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const name = createHash('sha256').update(resolve(path)).digest('hex').slice(0, 12);
  const twin = join('/var/tmp', `colink-${uid}-${name}`);
  await mkdir(twin).catch(() => {});
  const found = await lstat(twin);
  if (!found.isDirectory() || found.uid !== uid) throw new Error(`${twin} belongs to another user`);
  await chmod(twin, 0o755);
  return twin;
}
