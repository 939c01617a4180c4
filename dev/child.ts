import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { guard } from './reaper.ts';

/** How a process ended: its exit code, or the signal that ended it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of ours. `stop` asks it to end, insists after the grace period, and resolves when it has ended; repeating it is harmless. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  stop(): Promise<void>;
}

/** A process whose output since its start can be read. */
export interface Child extends Running {
  output(): Promise<string>;
}

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to this process's environment; undefined removes a name. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Takes standard output and error. Above 8 MiB at a start it becomes `<file>.1`. */
  readonly logFile: string;
  /** Milliseconds between asking for an end and SIGKILL (default 10,000). */
  readonly graceMs?: number;
  /**
   * For a Node program: takes what it sends by `process.send`. It is asked to end by closing its channel, which also closes when this
   * process dies; other programs are asked by SIGTERM.
   */
  readonly onMessage?: (message: unknown) => void;
}

const MAX_LOG_BYTES = 8 * 1024 * 1024;

function openLog(file: string): { descriptor: number; from: number } {
  mkdirSync(dirname(file), { recursive: true });
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const rotate = size > MAX_LOG_BYTES;
  if (rotate) renameSync(file, `${file}.1`);
  return { descriptor: openSync(file, 'a'), from: rotate ? 0 : size };
}

/** Signals a process group, or nothing if it is gone. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}

/**
 * Starts a process in a group of its own: a Ctrl-C in the terminal reaches only us, who stop children in order. Whatever is left of
 * the group when its leader ends is ended too, and all of it when this process dies.
 * @throws if the command cannot be started.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const log = openLog(options.logFile);
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', log.descriptor, log.descriptor, ...(options.onMessage ? (['ipc'] as const) : [])],
    detached: true,
  });
  if (options.onMessage) child.on('message', options.onMessage);
  closeSync(log.descriptor);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.command} has no process id`);
  const release = guard(pid);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      signalGroup(pid, 'SIGKILL');
      release();
      resolve({ code, signal });
    });
  });
  const output = async (): Promise<string> => (await readFile(options.logFile)).subarray(log.from).toString();
  return { pid, exited, output, stop: () => stopChild(child, pid, exited, options.graceMs ?? 10_000) };
}

async function stopChild(child: ChildProcess, pid: number, exited: Promise<Exit>, graceMs: number): Promise<void> {
  if (child.connected) child.disconnect();
  else child.kill('SIGTERM');
  const late = new AbortController();
  await Promise.race([exited, sleep(graceMs, undefined, { signal: late.signal }).then(() => signalGroup(pid, 'SIGKILL'), () => {})]);
  late.abort();
  await exited;
}

/**
 * Waits until `probe` no longer throws. A process that ends before, or is not ready after `timeoutMs` and is then stopped, rejects
 * with the end of its output.
 */
export async function untilReady(child: Child, probe: () => Promise<void>, timeoutMs: number): Promise<void> {
  let ended: Exit | undefined;
  void child.exited.then((exit) => (ended = exit));
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (ended) throw new Error(`ended while starting (${describeExit(ended)})${await lastLines(child)}`, { cause: error });
      if (performance.now() > deadline) {
        await child.stop();
        throw new Error(`not ready after ${timeoutMs} ms (${String(error)})${await lastLines(child)}`, { cause: error });
      }
      await sleep(50);
    }
  }
}

export const describeExit = ({ code, signal }: Exit): string => signal ?? `exit code ${code}`;

async function lastLines(child: Child): Promise<string> {
  const lines = (await child.output()).trimEnd().split('\n').slice(-8);
  return lines.join('') === '' ? '' : `:\n${lines.join('\n')}`;
}
