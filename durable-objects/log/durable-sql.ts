import type { SqlDriver, SqlRow, SqlValue } from './sql-driver.ts';

/**
 * The SQLite of a Durable Object. `exec` keeps its statements prepared by their text (workerd, 2026-11), so texts must not vary.
 *
 * All writes of one turn are one commit by the platform itself. `transactionSync` adds a savepoint, which costs: three of
 * four rounds took 1.19 to 1.27 times as many sends/s without it, one 0.84 (2026-11-23). `abort` rolls back what the turn has written.
 */
export function durableSql(ctx: DurableObjectState): SqlDriver {
  const { storage } = ctx;
  const { sql } = storage;
  return {
    all: <R extends SqlRow>(statement: string, ...bindings: SqlValue[]) => sql.exec<R>(statement, ...bindings).toArray(),
    run: (statement, ...bindings) => sql.exec(statement, ...bindings).rowsWritten,
    transaction: (body) => storage.transactionSync(body),
    turn(body) {
      try {
        return body();
      } catch (error) {
        ctx.abort(`a commit failed: ${error instanceof Error ? error.message : String(error)}`);
        throw error;
      }
    },
  };
}
