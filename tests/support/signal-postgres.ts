import { execFileSync } from 'node:child_process';

/** Signals a server and its backends, which are groups of their own; the postmaster first, that no new one starts in between. */
export function signalPostgres(postmaster: number, signal: NodeJS.Signals): void {
  process.kill(postmaster, signal);
  for (const backend of childrenOf(postmaster)) signalIfThere(backend, signal);
}

function childrenOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []));
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Ended in between.
  }
}
