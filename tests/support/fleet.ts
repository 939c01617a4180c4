import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface FleetProcess {
  readonly pid: number;
  /** `http://127.0.0.1:<port>` of health, readiness and metrics. */
  readonly url: string;
  /** Every line it has logged. */
  readonly lines: readonly string[];
  /** Sends a signal and waits for the end: the exit code, or the name of the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

const MAIN = join(import.meta.dirname, '../../consumers/main.ts');

/** Starts `consumers/main.ts` as its own process and resolves when it says that it runs. */
export async function startFleetProcess(environment: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<FleetProcess> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'], ...environment }, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the fleet ended with ${code}: ${lines.join('\n')}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      const { msg, port: announced }: { msg?: string; port?: number } = JSON.parse(line);
      if (msg === 'the fleet runs' && announced !== undefined) resolve(announced);
    });
  });
  if (child.pid === undefined) throw new Error('the fleet has no process id');
  return { pid: child.pid, url: `http://127.0.0.1:${port}`, lines, end: (signal) => end(child, signal) };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await once(child, 'exit');
  }
  return child.exitCode ?? child.signalCode ?? 'SIGKILL';
}
