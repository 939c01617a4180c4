import { type SQL, sql } from 'drizzle-orm';
import type postgres from 'postgres';
import { plannedOnce } from './planned-once.ts';

/** What queries that only read are asked of: a database, a transaction, or many of them at once. */
export interface Asking {
  execute<R extends Record<string, unknown>>(query: SQL): PromiseLike<readonly RowOf<R>[]>;
}

/** R, as drizzle types it. */
type RowOf<R> = R extends postgres.Row ? R : postgres.Row;

/** A `bigint` column: the driver gives its digits, and JSON a number. */
export type Bigint = string | number;

interface Asked {
  readonly query: SQL;
  readonly answered: PromiseWithResolvers<readonly never[]>;
}

/**
 * What `work` asks before it first waits goes as one statement, planned once: one round trip and one snapshot for all of it. Rows come as JSON, so a time has to be text already,
 * and a `bigint` is a number. What is asked later is refused: it would be another statement.
 */
export async function inOneStatement<T>(db: Asking, work: (asking: Asking) => Promise<T>): Promise<T> {
  const asked: Asked[] = [];
  let isAsked = false;
  const working = work({
    execute(query) {
      const answered = Promise.withResolvers<readonly never[]>();
      if (isAsked) answered.reject(new Error('asked after the statement'));
      else asked.push({ query, answered });
      return answered.promise;
    },
  });
  isAsked = true;
  if (asked.length > 0) void answer(db, asked);
  return await working;
}

async function answer(db: Asking, asked: readonly Asked[]): Promise<void> {
  const parts = asked.map(({ query }, n) => sql`(SELECT json_agg(q) FROM (${query}) q) AS ${sql.identifier(`q${n}`)}`);
  try {
    const [found] = await db.execute<Record<string, readonly never[] | null>>(plannedOnce(sql`SELECT ${sql.join(parts, sql`, `)}`));
    asked.forEach(({ answered }, n) => answered.resolve(found?.[`q${n}`] ?? []));
  } catch (error) {
    for (const { answered } of asked) answered.reject(error);
  }
}
