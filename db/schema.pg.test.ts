import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres } from '../dev/postgres.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { dumpSchema } from '../tests/support/schema-dump.ts';
import { connect } from './client.ts';
import { migrate } from './migrate.ts';
import { premakePartitions } from './partitions.ts';
import { adminTables } from './schema/admin-tables.ts';
import { eventTables } from './schema/event-tables.ts';
import { fileTables } from './schema/file-tables.ts';
import { messageTables } from './schema/message-tables.ts';
import { notificationTables } from './schema/notification-tables.ts';
import { emailTables } from './schema/email-tables.ts';
import { pushTables } from './schema/push-tables.ts';
import { peopleTables } from './schema/people-tables.ts';
import { searchTables } from './schema/search-tables.ts';
import { tables } from './schema/tables.ts';
import { threadTables } from './schema/thread-tables.ts';
import * as webhookSchema from './schema/webhook-tables.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

test('the checked-in dump is what the migrations make', async () => {
  await expect(await dumpSchema(database.connection.sql)).toMatchFileSnapshot('./schema.sql');
});

test('the dump does not change with the date', async () => {
  const { sql } = database.connection;
  const before = await dumpSchema(sql);
  await premakePartitions(sql, new Date('2035-01-31T00:00:00Z'));
  expect(await dumpSchema(sql)).toBe(before);
});

test('the dump makes the same schema again', async () => {
  const dump = await dumpSchema(database.connection.sql);
  const url = new URL(database.url);
  const name = `${url.pathname.slice(1)}_again`;
  await database.connection.sql`CREATE DATABASE ${database.connection.sql(name)}`;
  url.pathname = `/${name}`;
  const again = postgres(url.href, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await again.unsafe(dump);
    expect(await dumpSchema(again)).toBe(dump);
  } finally {
    await again.end({ timeout: 1 });
    await database.connection.sql`DROP DATABASE ${database.connection.sql(name)} WITH (FORCE)`;
  }
});

const POSTGRES_15 = '/usr/lib/postgresql/15/bin';

test.skipIf(!existsSync(POSTGRES_15))(`the oldest Postgres that is supported makes the same (needs ${POSTGRES_15})`, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'colink-test-'));
  await chmod(directory, 0o755);
  const server = await startPostgres({ dataDir: join(directory, 'postgres'), binDir: POSTGRES_15, settings: { fsync: 'off' } });
  try {
    await migrate(server.url);
    const old = connect(server.url, { max: 1, applicationName: 'colink-test' });
    expect(await dumpSchema(old.sql)).toBe(await dumpSchema(database.connection.sql));
    await old.close();
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
});

test('the tables of queries have the columns of the database', async () => {
  const rows = await database.connection.sql<{ name: string; column: string; type: string; required: boolean }[]>`
    SELECT c.relname AS name, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace`;
  const inDatabase = rows.map((row) => `${row.name}.${row.column} ${row.type} ${row.required}`);
  const inQueries = Object.values({ ...tables, ...eventTables, ...fileTables, ...notificationTables, ...pushTables, ...emailTables, ...adminTables, ...messageTables, ...searchTables, ...threadTables, ...webhookSchema, ...peopleTables }).flatMap((table) => (is(table, PgTable) ? columnsOf(table) : []));
  expect(inQueries.toSorted()).toEqual(inDatabase.toSorted());
});

const columnsOf = (table: PgTable): string[] =>
  Object.values(getTableColumns(table)).map((column) => `${getTableName(table)}.${column.name} ${column.getSQLType()} ${column.notNull}`);

test('a database that a migration was passed over in is refused, not used without it', async () => {
  const other = await testDatabase();
  try {
    const { sql } = other.connection;
    await expect(migrate(other.url)).resolves.toBeUndefined();
    await sql`DELETE FROM drizzle.__drizzle_migrations WHERE created_at = (SELECT created_at FROM drizzle.__drizzle_migrations ORDER BY created_at OFFSET 3 LIMIT 1)`;
    await expect(migrate(other.url)).rejects.toThrow(/^1 migrations were passed over/);
  } finally {
    await other.drop();
  }
});
