import { execFileSync } from 'node:child_process';

/** Resident megabytes of a process. */
export function residentMb(pid: number | undefined): number {
  if (pid === undefined) throw new Error('the process does not run');
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
}
