import { setTimeout as sleep } from 'node:timers/promises';
import { pick } from '../../client/testing/random.ts';

/** What may be killed: `processes` by the names the stack has for them. `weight`: how often, against the others. */
export interface Victim {
  readonly kind: string;
  readonly processes: readonly string[];
  readonly weight: number;
}

export interface KillerPorts {
  readonly random: () => number;
  /** Process ids by name, of what runs at this moment. */
  pids(): Readonly<Record<string, number>>;
  kill(pid: number): void;
  report(line: string): void;
}

export interface Kills {
  /** By kind. */
  readonly made: Readonly<Record<string, number>>;
  readonly total: number;
}

/** A process that has been killed has to be back after so many milliseconds, or the run has found something. */
const BACK_WITHIN_MS = 180_000;

/**
 * Kills a process after a random pause, again and again, until `signal` aborts or `most` are killed. Pauses are 0.25 to 1.75 times `everyMs`. What is
 * killed when follows from the seed; a victim that is not back from the last time is waited for.
 * @throws where a victim does not come back.
 */
export async function killAtRandom(victims: readonly Victim[], everyMs: number, most: number, signal: AbortSignal, ports: KillerPorts): Promise<Kills> {
  const { random } = ports;
  const made = Object.fromEntries(victims.map(({ kind }) => [kind, 0]));
  /** The stack may go on to name what it has not replaced yet. */
  const dead = new Set<number>();
  const urn = victims.flatMap((victim) => Array.from({ length: victim.weight }, () => victim));
  let total = 0;
  while (total < most && !signal.aborted) {
    await pause(everyMs * (0.25 + 1.5 * random()), signal);
    const { kind, processes } = pick(random, urn);
    const name = pick(random, processes);
    const pid = await untilRunning(name, dead, signal, ports);
    if (pid === null) break;
    ports.kill(pid);
    dead.add(pid);
    made[kind] = (made[kind] ?? 0) + 1;
    total += 1;
    ports.report(`kill ${total}: ${name} (${pid})`);
  }
  return { made, total };
}

async function untilRunning(name: string, dead: ReadonlySet<number>, signal: AbortSignal, { pids }: KillerPorts): Promise<number | null> {
  for (const deadline = performance.now() + BACK_WITHIN_MS; !signal.aborted; await pause(50, signal)) {
    const pid = pids()[name];
    if (pid !== undefined && !dead.has(pid)) return pid;
    if (performance.now() > deadline) throw new Error(`${name} has not come back within ${BACK_WITHIN_MS / 1_000} s`);
  }
  return null;
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> => sleep(milliseconds, undefined, { signal }).catch(() => {});
