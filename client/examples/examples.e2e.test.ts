import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWorld, type World, type WorldUser } from '../../tests/support/world.ts';

const WITHIN = { timeout: 30_000 };
let world: World;
let alice: WorldUser;
let bob: WorldUser;
let channel: string;
let directory: string;
const running = new Set<ChildProcess>();

/** Runs an example as a person would, and gathers what it prints. */
function run(name: string, user: WorldUser, ...args: string[]) {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const env = { ...process.env, COLINK_URL: world.baseUrl, COLINK_TOKEN: user.token };
  const child = spawn(process.execPath, [file, ...args], { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => lines.push(...data.toString().trim().split('\n')));
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return { lines, stop: () => (child.kill('SIGTERM'), ended) };
}

const texts = async (): Promise<string[]> => (await alice.api.history(channel)).data.map(({ text }) => text);
const say = (text: string) => alice.api.send(channel, { client_msg_id: text.replaceAll(' ', '-'), text });

beforeAll(async () => {
  world = await startWorld('examples');
  directory = mkdtempSync(join(tmpdir(), 'colink-examples-'));
  [alice, bob] = await Promise.all([world.user('alice'), world.user('bob')]);
  channel = await world.channel('plans', [alice, bob]);
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
  await world?.close();
});

describe('the examples', () => {
  it('echo-bot.ts says again what others say, each once (G2), and ends when told to', async () => {
    const bot = run('echo-bot.ts', bob, channel);
    await expect.poll(() => bot.lines, WITHIN).toContain('open');
    await say('hello bot');
    await say('and again');
    await expect.poll(texts, WITHIN).toEqual(expect.arrayContaining(['> hello bot', '> and again']));
    expect(await bot.stop()).toBe(0);
    expect(await texts()).toHaveLength(4);
  });

  it('unread.ts shows what is unread, and reads it', async () => {
    await say('for later');
    await expect.poll(async () => (await texts()).at(-1), WITHIN).toBe('for later');
    const shown = run('unread.ts', bob, '--read');
    await expect.poll(() => shown.lines.join('\n'), WITHIN).toMatch(/#plans: \d unread, 0 of them for you/);
    await expect.poll(() => shown.lines, WITHIN).toContain('read.moved');
    expect(await shown.stop()).toBe(0);
    const again = run('unread.ts', bob);
    await expect.poll(async () => (await bob.api.bootstrap()).channels.find(({ id }) => id === channel)?.read_pos, WITHIN).toBe(5);
    expect(again.lines).toEqual([]);
    await again.stop();
  });
});
