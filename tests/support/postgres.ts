import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import { connect, type Connection } from '../../db/client.ts';

export interface TestDatabase {
  readonly url: string;
  readonly connection: Connection;
  /** Closes the connection and drops the database, whoever is still in it. */
  drop(): Promise<void>;
}

/** A fresh, migrated, empty database for one test file. */
export async function testDatabase(): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await asAdmin((sql) => sql`CREATE DATABASE ${sql(name)} TEMPLATE colink_template`);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  const connection = connect(url.href, { max: 4, applicationName: 'colink-test' });
  return {
    url: url.href,
    connection,
    drop: async () => {
      await connection.close(1);
      await asAdmin((sql) => sql`DROP DATABASE ${sql(name)} WITH (FORCE)`);
    },
  };
}

async function asAdmin(work: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(inject('postgresUrl'), { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
