import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../db/migrate.ts';
import { startPostgres } from '../../dev/postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The cluster of this run, as its administrator. Test files clone a database of their own: `testDatabase()`. */
    postgresUrl: string;
    /** A migrated database for the Workers under test. */
    workerPostgresUrl: string;
  }
}

/** Data of a test run is thrown away, so nothing of it need survive a power cut. */
const THROWAWAY = { fsync: 'off', full_page_writes: 'off' };

/** One cluster a run, with a migrated template for each test file to clone. `COLINK_TEST_POSTGRES`: directory of another Postgres' programs. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'colink-test-'));
  // Postgres refuses root; its stand-in must be able to enter.
  await chmod(directory, 0o755);
  const binDir = process.env['COLINK_TEST_POSTGRES'];
  const server = await startPostgres({ dataDir: join(directory, 'postgres'), settings: THROWAWAY, ...(binDir && { binDir }) });
  const admin = databaseUrl(server.url, 'postgres');
  await createTemplate(admin);
  project.provide('postgresUrl', admin);
  project.provide('workerPostgresUrl', withPassword(databaseUrl(admin, 'colink_worker')));
  return async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  };
}

async function createTemplate(admin: string): Promise<void> {
  const sql = postgres(admin, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await sql`CREATE DATABASE colink_template`;
    await migrate(databaseUrl(admin, 'colink_template'));
    await sql`CREATE DATABASE colink_worker TEMPLATE colink_template`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Hyperdrive takes no address without one; the cluster asks for none. */
function withPassword(url: string): string {
  const changed = new URL(url);
  changed.password ||= 'unused';
  return changed.href;
}

function databaseUrl(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
