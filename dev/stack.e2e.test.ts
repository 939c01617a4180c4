import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createApi, type Api } from '../client/http.ts';
import { readDevFile, type DevFile } from './dev-file.ts';
import { startStack, type Stack } from './stack.ts';

const MAIN = join(import.meta.dirname, '..', 'cli', 'main.ts');
const SOON = { timeout: 45_000, interval: 50 };

/** Whether a process runs; a zombie, whose parent died before it, does not. */
function isAlive(pid: number): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
  } catch {
    return false;
  }
}

/** `colink …` in a directory of its own, where `.colink` is its data. */
async function colink(cwd: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [MAIN, ...args], { cwd })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

async function answers(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  expect(response.status).toBe(200);
}

const folder = await mkdtemp(join(tmpdir(), 'colink-stack-'));
const dataDir = join(folder, '.colink');
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

describe('a stack', () => {
  let stack: Stack;
  let api: Api;
  let channel: string;
  const described = (): DevFile => stack.describe();
  const start = () => startStack({ dataDir, transport: 'embedded', redis: false, clamd: false, page: false });

  beforeAll(async () => {
    stack = await start();
    const { stdout } = await colink(folder, 'token', '--user', 'alice');
    api = createApi({ baseUrl: described().url, token: stdout.trim() });
    channel = (await api.bootstrap()).channels[0]?.id ?? '';
  });
  afterAll(() => stack.stop());

  const send = (id: string) => api.send(channel, { client_msg_id: id, text: id });

  test('says in dev.json what runs', async () => {
    expect(readDevFile(dataDir)).toEqual(described());
    expect(described()).toMatchObject({ event_transport: 'embedded', kafka_brokers: null, relay_url: null, accounts: ['alice', 'bob'] });
    expect(Object.keys(described().pids).sort()).toEqual(['fleet', 'idp', 'postgres', 'worker', 'worker_host']);
    expect(Object.values(described().pids).every(isAlive)).toBe(true);
    await answers(`${described().url}/health`);
    await answers(`${described().fleet_url}/ready`);
  });

  test('seeds two people who share #general', async () => {
    const { me, channels, users } = await api.bootstrap();
    expect(me.handle).toBe('alice');
    expect(channels.map(({ name }) => name)).toEqual(['general']);
    expect(users.map(({ handle }) => handle).sort()).toEqual(['alice', 'bob']);
  });

  test('G1: what workerd acknowledged before a kill -9 is there after it, on the same port', async () => {
    const before = await send('before');
    const { url, pids } = described();
    process.kill(pids['worker'] ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(described().pids['worker']).not.toBe(pids['worker']), SOON);
    await vi.waitFor(() => answers(`${url}/health`), SOON);

    expect((await send('before')).message_id).toBe(before.message_id);
    expect((await send('after')).seq).toBe((before.seq ?? 0) + 1);
    expect(readDevFile(dataDir)?.pids['worker']).toBe(described().pids['worker']);
  });

  test.each(['worker_host', 'postgres', 'fleet', 'idp'])('%s, killed, comes back where it was', async (name) => {
    const { pids, url, fleet_url } = described();
    process.kill(pids[name] ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(described().pids[name] ?? pids[name]).not.toBe(pids[name]), SOON);
    await vi.waitFor(() => answers(`${url}/health`), SOON);
    await vi.waitFor(() => answers(`${fleet_url}/ready`), SOON);
    await vi.waitFor(() => send(`after-${name}`), SOON);
    expect(readDevFile(dataDir)?.pids).toEqual(described().pids);
  });

  test('stops everything and goes on with its data at the next start', async () => {
    const pids = Object.values(described().pids);
    const last = await send('last');
    await stack.stop();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(readDevFile(dataDir)).toBeNull();
    expect((await colink(folder, 'token', '--user', 'alice')).stderr).toContain('nothing runs here');

    stack = await start();
    const { stdout } = await colink(folder, 'token', '--user', 'bob');
    api = createApi({ baseUrl: described().url, token: stdout.trim() });
    const { message_id } = await send('from-bob');
    await vi.waitFor(async () => {
      const { data } = await api.history(channel);
      expect(data.slice(-2).map(({ id }) => id)).toEqual([last.message_id, message_id]);
    }, SOON);
  });

  test('a token is for somebody who is there, with scopes that are there', async () => {
    expect(await colink(folder, 'token', '--user', 'nobody')).toEqual({ code: 1, stdout: '', stderr: 'colink: there is no active user nobody\n' });
    expect(await colink(folder, 'token', '--user', 'alice', '--scopes', 'messages:read,all')).toMatchObject({ code: 1, stdout: '' });
    const { stdout } = await colink(folder, 'token', '--user', 'alice', '--scopes', 'messages:read');
    expect(stdout).toMatch(/^colink_pat_[\w-]{43}\n$/);
    const reader = createApi({ baseUrl: described().url, token: stdout.trim() });
    await expect(reader.send(channel, { client_msg_id: 'x', text: 'x' })).rejects.toMatchObject({ problem: { code: 'forbidden' } });
  });
});

describe('colink dev', () => {
  const cwd = join(folder, 'cli');
  const ready = async (): Promise<DevFile> =>
    await vi.waitFor(() => {
      const file = readDevFile(join(cwd, '.colink'));
      if (file === null) throw new Error('not up');
      return file;
    }, { timeout: 60_000, interval: 100 });

  function run(...args: string[]) {
    const child = spawn(process.execPath, [MAIN, 'dev', '--transport', 'embedded', '--no-redis', ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    return { child, output: () => output.join('') };
  }

  beforeAll(() => mkdir(cwd));

  test('nothing outlives a supervisor that is killed; the next start goes on; Ctrl-C ends it with 0', async () => {
    const first = run();
    const killed = await ready();
    first.child.kill('SIGKILL');
    const leftovers = Object.values(killed.pids);
    await vi.waitFor(() => expect(leftovers.filter(isAlive)).toEqual([]), SOON);

    const second = run();
    await vi.waitFor(() => expect(second.output()).toContain('sign in as alice or bob'), { timeout: 60_000, interval: 100 });
    expect(second.output()).toMatch(/fleet +127\.0\.0\.1:\d+/);
    expect(second.output()).toContain('embedded transport, consumers read event_log: asked for');

    const third = await colink(cwd, 'dev');
    expect(third).toMatchObject({ code: 1, stderr: expect.stringContaining('it runs already') });

    const exited = once(second.child, 'exit');
    second.child.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
  });
});
