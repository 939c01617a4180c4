import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './event-log.ts';

export interface FleetProcess {
  readonly pid: number;
  /** `http://127.0.0.1:<port>` of health, readiness and metrics. */
  readonly url: string;
  /** Every line it has logged. */
  readonly lines: readonly string[];
  /** Sends a signal and waits for the end: the exit code, or the name of the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** One that may still be loading its modules. */
export type BareFleetProcess = Omit<FleetProcess, 'url'>;

const MAIN = join(import.meta.dirname, '../../consumers/main.ts');
// kafkajs 2.2.4 asks Node 24 for negative timeouts.
const NODE_ARGS = ['--disable-warning=TimeoutNegativeWarning', MAIN];

/** Starts `consumers/main.ts` as its own process and resolves when it says that it runs. */
export async function startFleetProcess(environment: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<FleetProcess> {
  const { child, bare } = await spawnFleet(environment, args);
  for (;;) {
    const port = bare.lines.map(announcedPort).find((announced) => announced !== null);
    if (port !== undefined && port !== null) return { ...bare, url: `http://127.0.0.1:${port}` };
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the fleet ended with ${child.exitCode ?? child.signalCode}: ${bare.lines.join('\n')}`);
    await sleep(10);
  }
}

/** Resolves as soon as it answers to SIGTERM at all, which it says: Node itself would be ended by one before. */
export async function spawnFleetProcess(environment: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<BareFleetProcess> {
  const { child, bare } = await spawnFleet(environment, args);
  while (bare.lines.length === 0 && child.exitCode === null) await sleep(5);
  return bare;
}

/** Compiling the same modules for each process anew takes a third of its start. */
const COMPILE_CACHE = join(tmpdir(), `colink-compile-cache-${process.getuid?.() ?? 0}`);

async function spawnFleet(environment: Readonly<Record<string, string>>, args: readonly string[]): Promise<{ child: ChildProcess; bare: BareFleetProcess }> {
  const env = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILE_CACHE, ...environment };
  const child = spawn(process.execPath, [...NODE_ARGS, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await once(child, 'spawn');
  if (child.pid === undefined) throw new Error('the fleet has no process id');
  return { child, bare: { pid: child.pid, lines, end: (signal) => end(child, signal) } };
}

/**
 * The metrics of a process of the fleet, once they say all of this. What is stored is counted behind that, and what is looked up is looked up at its own pace:
 * right after an effect they may not have it yet.
 */
export async function metricsOnceTheySay(url: string, ...said: readonly (string | RegExp)[]): Promise<string> {
  let text = '';
  const isMissing = (line: string | RegExp): boolean => (typeof line === 'string' ? !text.includes(line) : !line.test(text));
  const saysAll = async (): Promise<boolean> => {
    text = await (await fetch(`${url}/metrics`)).text();
    return !said.some(isMissing);
  };
  await eventually(saysAll, 30_000, () => said.filter(isMissing).map(String));
  return text;
}

function announcedPort(line: string): number | null {
  const { msg, port }: { msg?: string; port?: number } = JSON.parse(line);
  return msg === 'the fleet runs' ? (port ?? null) : null;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await once(child, 'exit');
  }
  return child.exitCode ?? child.signalCode ?? 'SIGKILL';
}
