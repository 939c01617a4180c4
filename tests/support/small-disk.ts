import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { appendFile, mkdtemp, rm, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CHUNK = 64 * 1024;

/** A file system that is soon full, in memory. */
export interface SmallDisk {
  readonly path: string;
  /** Takes all its space but so many bytes, until `giveBack`. */
  fill(leave: number): Promise<void>;
  giveBack(): Promise<void>;
  /** What is on it is gone. Nothing may have a file open there. */
  unmount(): Promise<void>;
}

/** Why none can be had here, or null. Mounting takes root, and a container may withhold it from its root. */
export function whyNoSmallDisk(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a small disk takes root on Linux';
  const probe = mkdtempSync(join(tmpdir(), 'colink-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'colink-test', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe], { stdio: 'ignore' });
    return null;
  } catch {
    return 'this root may not mount a file system';
  } finally {
    execFileSync('rmdir', [probe]);
  }
}

export async function mountSmallDisk(megabytes: number): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'colink-disk-'));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'colink-test', path]);
  const ballast = join(path, 'ballast');
  return {
    path,
    fill: (leave) => fill(path, ballast, leave),
    giveBack: () => rm(ballast, { force: true }),
    unmount: async () => {
      await run('umount', [path]);
      await rmdir(path);
    },
  };
}

async function fill(path: string, ballast: string, leave: number): Promise<void> {
  const chunk = Buffer.alloc(CHUNK);
  for (;;) {
    const { bavail, bsize } = await statfs(path);
    const bytes = Math.min(CHUNK, bavail * bsize - leave);
    if (bytes <= 0) return;
    await appendFile(ballast, chunk.subarray(0, bytes));
  }
}
