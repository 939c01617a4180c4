import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql as statement } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plannedOnce } from '../db/planned-once.ts';
import { connect } from '../db/client.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import type { Child } from './child.ts';
import { detect, isPresent } from './components.ts';
import { pooledUrl, remembersStatements, startPooler } from './pooler.ts';
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

interface Visit {
  readonly backend: number;
  readonly left: string | null;
  /** Statements that the backend had by then. */
  readonly statements: number;
}

/** The backend that served a client of its own, and what an earlier one left in it. */
async function visit(): Promise<Visit> {
  const { sql, db, close } = connect(url, { max: 1, applicationName: 'visitor', keepsStatements: true });
  const [row] = await db.execute<Visit & Record<string, unknown>>(plannedOnce(statement`
    SELECT pg_backend_pid() AS backend, current_setting('colink.left', true) AS left, (SELECT count(*)::int FROM pg_prepared_statements) AS statements, ${1}::int AS one`));
  await sql`SELECT set_config('colink.left', 'something', false)`;
  await close();
  if (row === undefined) throw new Error('nobody answered');
  return row;
}

test.skipIf(!isPresent(pgbouncer))('lends one connection to one client after the other: by sessions without what the last one left in it, and by transactions with its statements', async () => {
  const visits = [await visit(), await visit(), await visit(), await visit()];
  const first = visits[0]?.statements ?? Number.NaN;
  const byTransaction = isPresent(pgbouncer) && (await remembersStatements(pgbouncer.path));
  // By transactions the second statement of the first client is there for all who come later, and what it set for its session, too: nothing of Colink sets anything so.
  const later = byTransaction ? { left: 'something', more: 1 } : { left: null, more: 0 };
  expect(new Set(visits.map(({ backend }) => backend)).size).toBe(1);
  expect(visits.map(({ left, statements }) => ({ left: left || null, more: statements - first }))).toEqual([{ left: null, more: 0 }, later, later, later]);
});
