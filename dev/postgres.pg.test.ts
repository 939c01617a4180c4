import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connect } from '../db/client.ts';
import { type PostgresOptions, type RunningPostgres, startPostgres } from './postgres.ts';

let directory: string;
let dataDir: string;
const running: RunningPostgres[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'colink-test-'));
  await chmod(directory, 0o755);
  dataDir = join(directory, 'postgres');
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function start(options: Partial<PostgresOptions> = {}): Promise<RunningPostgres> {
  const server = await startPostgres({ dataDir, ...options });
  running.push(server);
  return server;
}

async function query(server: RunningPostgres, text: string): Promise<Record<string, unknown>[]> {
  const { sql, close } = connect(server.url, { max: 1, applicationName: 'colink-test' });
  return sql.unsafe(text).finally(() => close(1));
}

test('keeps its data from start to start, and stops at once with sessions open', async () => {
  const first = await start();
  const { sql, close } = connect(first.url, { max: 1, applicationName: 'colink-test' });
  await sql`CREATE TABLE kept AS SELECT 42 AS value`;
  await Promise.all([first.stop(), first.stop()]);
  expect(await first.exited).toBe(0);
  await close(1);
  const second = await start();
  expect(await query(second, 'SELECT value FROM kept')).toEqual([{ value: 42 }]);
});

test('G1 keeps what was committed when the server is killed in the middle of a query', async () => {
  const first = await start();
  await query(first, 'CREATE TABLE kept AS SELECT 42 AS value');
  const lost = query(first, 'SELECT count(*) FROM generate_series(1, 1e10::bigint)').catch(() => 'lost');
  await expect.poll(() => query(first, "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%1e10%' AND pid <> pg_backend_pid()")).toHaveLength(1);
  process.kill(first.pid, 'SIGKILL');
  expect(await first.exited).toBeNull();
  const second = await start();
  expect(await query(second, 'SELECT value FROM kept')).toEqual([{ value: 42 }]);
  expect(await lost).toBe('lost');
});

test('is ended when its launcher is killed, and can be started anew meanwhile', async () => {
  const script = `import { startPostgres } from ${JSON.stringify(new URL('./postgres.ts', import.meta.url).href)};
    const server = await startPostgres({ dataDir: ${JSON.stringify(dataDir)} });
    process.send(server.pid); setInterval(() => {}, 1000);`;
  const launcher = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [leftover] = await once(launcher, 'message');
  launcher.kill('SIGKILL');
  await once(launcher, 'exit');
  const server = await start();
  expect(server.pid).not.toBe(leftover);
  expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('takes the place of a server that has outlived its launcher', async () => {
  const first = await start();
  const gone = spawn(process.execPath, ['--eval', '0']);
  await once(gone, 'exit');
  await writeFile(join(dataDir, 'launcher.pid'), String(gone.pid));
  const lines: string[] = [];
  const server = await start({ log: (line) => lines.push(line) });
  expect(await first.exited).toBe(0);
  expect(lines).toEqual([`stopping Postgres ${first.pid}, which an earlier run left behind`]);
  expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('refuses a directory that is being served', async () => {
  const { pid } = await start();
  await expect(start()).rejects.toMatchObject({ fault: 'in_use', message: expect.stringContaining(String(pid)) });
});

test('says that its port is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await expect(start({ port })).rejects.toMatchObject({ fault: 'port_taken', message: expect.stringContaining(String(port)) });
  other.close();
});

test('leaves alone a directory that holds something else', async () => {
  await mkdir(dataDir);
  await writeFile(join(dataDir, 'thesis.txt'), 'ten years');
  await expect(start()).rejects.toMatchObject({ fault: 'init_failed' });
  expect(await readdir(dataDir)).toEqual(['thesis.txt']);
});

test('refuses the data of another version, and a directory without programs', async () => {
  await mkdir(dataDir);
  await writeFile(join(dataDir, 'PG_VERSION'), '12\n');
  await expect(start()).rejects.toMatchObject({ fault: 'wrong_version' });
  await expect(start({ binDir: directory })).rejects.toMatchObject({ fault: 'no_binaries' });
});

test('says what is wrong with a setting', async () => {
  await expect(start({ settings: { shared_buffers: 'plenty' } })).rejects.toMatchObject({
    fault: 'start_failed',
    message: expect.stringContaining('shared_buffers'),
  });
});

test('listens on loopback only, keeps commits, and knows letters beyond ASCII', async () => {
  const server = await start();
  const [row] = await query(
    server,
    `SELECT current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets,
      current_setting('synchronous_commit') AS commit, current_setting('fsync') AS fsync, lower('ÄÉ') AS lower`,
  );
  expect(row).toEqual({ addresses: '127.0.0.1', sockets: '', commit: 'on', fsync: 'on', lower: 'äé' });
});

test.runIf(process.getuid?.() === 0)('as root, under a directory closed to others, keeps the data elsewhere and says where', async () => {
  await chmod(directory, 0o700);
  const lines: string[] = [];
  const server = await start({ log: (line) => lines.push(line) });
  expect(server.dataDir.startsWith(directory)).toBe(false);
  expect(lines.join()).toContain(server.dataDir);
  expect((await stat(server.dataDir)).uid).not.toBe(0);
  await server.stop();
  expect((await start()).dataDir).toBe(server.dataDir);
  await running.at(-1)?.stop();
  await rm(dirname(server.dataDir), { recursive: true });
});
