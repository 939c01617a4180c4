import type { SqlDriver, SqlRow, SqlValue } from './sql-driver.ts';

/** The SQLite of a Durable Object. `exec` keeps its statements prepared by their text (workerd, 2026-11), so texts must not vary. */
export function durableSql(storage: DurableObjectStorage): SqlDriver {
  const { sql } = storage;
  return {
    all: <R extends SqlRow>(statement: string, ...bindings: SqlValue[]) => sql.exec<R>(statement, ...bindings).toArray(),
    run: (statement, ...bindings) => void sql.exec(statement, ...bindings),
    transaction: (body) => storage.transactionSync(body),
  };
}
