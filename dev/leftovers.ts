import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { readDevFile, removeDevFile } from './dev-file.ts';

/** What the command line of each process says of it. Postgres is missing: its own start looks after a server left behind. */
const COMMANDS: Readonly<Record<string, RegExp>> = {
  worker: /workerd/,
  worker_host: /worker-host\.ts/,
  idp: /identity-provider\.ts/,
  redis: /redis-server/,
  redis_rest: /redis-rest\.ts/,
  kafka: /kafka\.Kafka/,
  relay: /consumers\/main\.ts/,
  fleet: /consumers\/main\.ts/,
};
const SUPERVISOR = /cli\/main\.ts|vitest|bench\/main\.ts|replay\/main\.ts/;

/** A process's command line, or null if there is no such process. */
function commandOf(pid: number): string | null {
  try {
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return null;
  }
}

/** A zombie, which nobody has waited for, does not run. */
function runs(pid: number, pattern: RegExp): boolean {
  const command = commandOf(pid)?.trim() ?? '';
  return pattern.test(command) && !command.endsWith('<defunct>');
}

/**
 * Ends what an earlier stack on this data left behind; a process id that by now is another program's is left alone.
 * @throws if that stack still runs.
 */
export async function endLeftovers(dataDir: string, report: (line: string) => void): Promise<void> {
  const left = readDevFile(dataDir);
  if (left === null) return;
  if (left.supervisor_pid !== process.pid && runs(left.supervisor_pid, SUPERVISOR)) {
    throw new Error(`it runs already: ${left.url} (process ${left.supervisor_pid})`);
  }
  await Promise.all(Object.entries(left.pids).map(([name, pid]) => endLeftover(name, pid, report)));
  removeDevFile(dataDir);
}

async function endLeftover(name: string, pid: number, report: (line: string) => void): Promise<void> {
  // Of several processes of the fleet, the second is `fleet_2`.
  const pattern = COMMANDS[name.replace(/_\d+$/, '')];
  if (pattern === undefined || !runs(pid, pattern)) return;
  report(`ending ${name} (process ${pid}), which an earlier run left behind`);
  signal(pid, 'SIGTERM');
  for (let waited = 0; waited < 5_000 && runs(pid, pattern); waited += 100) await sleep(100);
  if (runs(pid, pattern)) signal(pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Ended in between.
  }
}
