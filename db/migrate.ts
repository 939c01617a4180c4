import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import { connect } from './client.ts';
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
    await premakePartitions(sql);
  } finally {
    await close();
  }
}
