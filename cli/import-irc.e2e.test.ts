import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStack, type Stack } from '../dev/stack.ts';
import { IRC_SAMPLE } from '../tests/support/irc.ts';
import { DATA_DIR } from './data-dir.ts';

let folder: string;
let stack: Stack;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colink-import-'));
  stack = await startStack({ dataDir: join(folder, DATA_DIR), transport: 'embedded', redis: false, clamd: false });
});
afterAll(async () => {
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  /** Resolves once the output contains this. */
  said(text: string): Promise<void>;
  readonly ended: Promise<{ code: number | null; output: string }>;
}

/** The command as a user types it, beside the running stack. */
function colink(...args: string[]): Run {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'import', 'irc', IRC_SAMPLE, '--channel', 'ubuntu', ...args], { cwd: folder });
  let output = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part;
      for (const listener of listeners) listener();
    });
  }
  return {
    child,
    said: (text) => new Promise((resolve) => listeners.add(() => output.includes(text) && resolve())),
    ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, output }))),
  };
}

test('an import goes on after Ctrl-C and after kill -9, and every store holds the messages once, in order (G1, G2, G3, G6, G7)', async () => {
  const interrupted = colink('--rate', '400');
  await interrupted.said('posting');
  setTimeout(() => interrupted.child.kill('SIGINT'), 1_000);
  expect(await interrupted.ended).toMatchObject({ code: 130, output: expect.stringContaining('goes on from here') });

  const killed = colink('--rate', '400');
  await killed.said('going on behind line');
  setTimeout(() => killed.child.kill('SIGKILL'), 1_500);
  expect((await killed.ended).code).toBeNull();

  const whole = await colink('--rate', 'max').ended;
  expect(whole.output).toMatch(/Postgres +2,000 held, +2,000 equal, in order/);
  expect(whole.output).toMatch(/topic \(event_log\) +2,000 held, +2,000 equal, in order/);
  expect(whole.output).toMatch(/index +2,000 held, +2,000 equal, in order\nOK\n$/);
  expect(whole.code).toBe(0);
});

test('without what it remembers it posts all again, and nothing is added (G2)', async () => {
  const states = (await readdir(join(folder, DATA_DIR))).filter((name) => name.startsWith('import-'));
  expect(states).toHaveLength(1);
  for (const name of states) await rm(join(folder, DATA_DIR, name));
  const { code, output } = await colink('--rate', 'max').ended;
  expect(output).toContain('2,000 posted, 2,000 of them were there already');
  expect(code).toBe(0);
});

test('a store that holds more than the file fails the check', async () => {
  const { code, output } = await colink('--verify-only', '--limit', '1999').ended;
  expect(output).toMatch(/line 2000 is there again, or more than was to be[^]*FAILED\n$/);
  expect(code).toBe(1);
});
