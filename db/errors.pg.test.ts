import { sql as template } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { connect, type Connection } from './client.ts';
import { classifyPostgresError } from './errors.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

async function failureOf(url: string, query: (connection: Connection) => Promise<unknown>): Promise<string | null> {
  const connection = connect(url, { max: 1, applicationName: 'colink-test', connectTimeout: 1 });
  return query(connection)
    .then(() => null, classifyPostgresError)
    .finally(() => connection.close(1));
}

const one = ({ sql }: Connection) => sql`SELECT 1`;

describe('real failures are told apart', () => {
  test('nobody listens: unreachable', async () => {
    expect(await failureOf('postgres://colink@127.0.0.1:1/colink', one)).toBe('unreachable');
  });

  test('an unknown host: unreachable', async () => {
    expect(await failureOf('postgres://colink@nowhere.invalid/colink', one)).toBe('unreachable');
  });

  test('the server ends the session in the middle: unreachable', async () => {
    const suicide = ({ sql }: Connection) => sql`SELECT pg_terminate_backend(pg_backend_pid())`;
    expect(await failureOf(database.url, suicide)).toBe('unreachable');
  });

  test('a statement runs out of time: unreachable', async () => {
    expect(await failureOf(`${database.url}?statement_timeout=50`, ({ sql }) => sql`SELECT pg_sleep(5)`)).toBe('unreachable');
  });

  test('the database, or a table, is not there: other', async () => {
    expect(await failureOf(`${database.url}_gone`, one)).toBe('other');
    expect(await failureOf(database.url, ({ sql }) => sql`SELECT x FROM gone`)).toBe('other');
  });

  test('a value that cannot be stored: data, through the query builder too', async () => {
    expect(await failureOf(database.url, ({ sql }) => sql`SELECT ${'{"a":"\\u0000"}'}::text::jsonb`)).toBe('data');
    expect(await failureOf(database.url, ({ db }) => db.execute(template`SELECT ${'not a uuid'}::text::uuid`))).toBe('data');
  });
});
