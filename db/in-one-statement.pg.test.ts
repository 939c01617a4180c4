import { sql as statement } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import type { Database } from './client.ts';
import { type Asking, inOneStatement } from './in-one-statement.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase();
  ({ db } = database.connection);
});
afterAll(() => database.drop());

/** The database, and how many statements it was asked. */
function counted(): Asking & { statements: number } {
  const counting = {
    statements: 0,
    execute: (query: Parameters<Asking['execute']>[0]) => {
      counting.statements += 1;
      return db.execute<never>(query);
    },
  };
  return counting;
}

const numbers = (from: number, to: number) => statement`SELECT n, n::bigint * 2 AS twice, 'number ' || n AS name, NULL::int AS nothing FROM generate_series(${from}::int, ${to}::int) n ORDER BY n DESC`;

describe('queries in one statement', () => {
  it('are answered each by its rows, in its order, and are one', async () => {
    const counting = counted();
    const found = await inOneStatement(counting, (asking) => Promise.all([asking.execute(numbers(1, 3)), asking.execute(numbers(1, 0)), asking.execute(numbers(9, 9))]));
    const row = (n: number) => ({ n, twice: 2 * n, name: `number ${n}`, nothing: null });
    expect(found).toEqual([[row(3), row(2), row(1)], [], [row(9)]]);
    expect(counting.statements).toBe(1);
  });

  it('are of one snapshot', async () => {
    const ids = await inOneStatement(db, (asking) => Promise.all([1, 2].map(() => asking.execute<{ id: string }>(statement`SELECT pg_current_snapshot()::text AS id, pg_sleep(0.01)::text`))));
    expect(ids[0]?.[0]?.id).toBe(ids[1]?.[0]?.id);
  });

  it('fail together', async () => {
    const asked = inOneStatement(db, (asking) => Promise.allSettled([asking.execute(numbers(1, 1)), asking.execute(statement`SELECT 1 / ${0}::int`)]));
    expect(await asked).toEqual([expect.objectContaining({ status: 'rejected' }), expect.objectContaining({ status: 'rejected' })]);
    expect([...(await db.execute(statement`SELECT 1 AS one`))]).toEqual([{ one: 1 }]);
  });

  it('are asked before anything is waited for', async () => {
    const counting = counted();
    const asked = inOneStatement(counting, async (asking) => {
      await asking.execute(numbers(1, 1));
      return asking.execute(numbers(2, 2));
    });
    await expect(asked).rejects.toThrow('asked after the statement');
    expect(counting.statements).toBe(1);
  });

  it('may be none', async () => {
    const counting = counted();
    expect(await inOneStatement(counting, async () => 'nothing')).toBe('nothing');
    expect(counting.statements).toBe(0);
  });
});
