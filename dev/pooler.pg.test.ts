import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../db/client.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import type { Child } from './child.ts';
import { detect, isPresent } from './components.ts';
import { pooledUrl, startPooler } from './pooler.ts';
import { freePort } from './ports.ts';

const { pgbouncer } = detect();
let database: TestDatabase;
let directory: string;
let pooler: Child | undefined;
let url: string;

beforeAll(async () => {
  if (!isPresent(pgbouncer)) return;
  database = await testDatabase();
  directory = await mkdtemp(join(tmpdir(), 'colink-pooler-'));
  const port = await freePort();
  pooler = await startPooler({ command: pgbouncer.path, dataDir: directory, port, logFile: join(directory, 'pooler.log'), postgresUrl: database.url });
  url = pooledUrl(database.url, port);
});
afterAll(async () => {
  await pooler?.stop();
  if (!isPresent(pgbouncer)) return;
  await rm(directory, { recursive: true, force: true });
  await database.drop();
});

/** The backend that served a client of its own, and what an earlier one left in it. */
async function visit(): Promise<{ backend: number; left: string | null }> {
  const { sql, close } = connect(url, { max: 1, applicationName: 'visitor' });
  const [row] = await sql<[{ backend: number; left: string | null }]>`SELECT pg_backend_pid() AS backend, current_setting('colink.left', true) AS left`;
  await sql`SELECT set_config('colink.left', 'something', false)`;
  await close();
  return row;
}

test.skipIf(!isPresent(pgbouncer))('lends one connection to one client after the other, without what the last one left in it', async () => {
  const visits = [await visit(), await visit(), await visit()];
  expect(new Set(visits.map(({ backend }) => backend)).size).toBe(1);
  expect(visits.map(({ left }) => left || null)).toEqual([null, null, null]);
});
