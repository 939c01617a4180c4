import type { CAC } from 'cac';
import { migrate } from '../db/migrate.ts';
import { postgresUrl } from './postgres-url.ts';

/** `colink migrate`: brings the tables of `DATABASE_URL`, or of the running `colink dev`, up to this version, and makes missing partitions. */
export function registerMigrate(cli: CAC): void {
  cli.command('migrate', 'Create or update the tables in DATABASE_URL').action(async () => {
    await migrate(postgresUrl());
    console.log('The tables are up to date.');
  });
}
