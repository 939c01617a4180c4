import { readMigrationFiles } from 'drizzle-orm/migrator';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import { connect, type Sql } from './client.ts';
import { premakePartitions } from './partitions.ts';

const MIGRATIONS_FOLDER = `${import.meta.dirname}/migrations`;

/** Two starters do not collide: the second waits this long at most, in milliseconds, for the first. */
const LOCK_TIMEOUT = 60_000;

/** Brings a database to the newest schema and makes the partitions that are due. Safe to repeat, and from many places at once. */
export async function migrate(url: string, migrationsFolder = MIGRATIONS_FOLDER): Promise<void> {
  // One socket, so that the lock and what it guards share a session.
  const { sql, db, close } = connect(url, { max: 1, applicationName: 'colink-migrate' });
  try {
    await sql`SELECT set_config('lock_timeout', ${String(LOCK_TIMEOUT)}, false)`;
    await sql`SELECT pg_advisory_lock(hashtext('colink.migrate'))`;
    await applyMigrations(db, { migrationsFolder });
    await refuseGaps(sql, migrationsFolder);
    await premakePartitions(sql);
  } finally {
    await close();
  }
}

/** The migrator passes over what is older than the last it applied (drizzle-orm 0.45), without a word: a database that has a later release's migrations would never get those between. */
async function refuseGaps(sql: Sql, migrationsFolder: string): Promise<void> {
  const applied = new Set((await sql<{ created_at: string }[]>`SELECT created_at FROM drizzle.__drizzle_migrations`).map(({ created_at }) => Number(created_at)));
  const missing = readMigrationFiles({ migrationsFolder }).filter(({ folderMillis }) => !applied.has(folderMillis)).length;
  if (missing > 0) throw new Error(`${missing} migrations were passed over, because later ones are in this database already: it is of another line of releases (a development database is made anew by npm run dev -- --reset)`);
}
