import { DatabaseSync } from 'node:sqlite';
import type { SqlDriver, SqlRow, SqlValue } from '../../durable-objects/log/sql-driver.ts';

/** A log's SQLite in memory, by Node's own: the same statements as in a Durable Object. */
export function nodeSqlite(): SqlDriver {
  const database = new DatabaseSync(':memory:');
  const statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  const prepare = (statement: string) => {
    const prepared = statements.get(statement) ?? database.prepare(statement);
    statements.set(statement, prepared);
    return prepared;
  };
  let depth = 0;
  const transaction = <T>(body: () => T): T => {
    database.exec(`SAVEPOINT s${depth++}`);
    try {
      const value = body();
      database.exec(`RELEASE s${--depth}`);
      return value;
    } catch (error) {
      database.exec(`ROLLBACK TO s${--depth}; RELEASE s${depth}`);
      throw error;
    }
  };
  return {
    all: <R extends SqlRow>(statement: string, ...bindings: SqlValue[]) => prepare(statement).all(...bindings) as R[],
    run(statement, ...bindings) {
      if (bindings.length > 0) return Number(prepare(statement).run(...bindings).changes);
      database.exec(statement);
      return 0;
    },
    transaction,
    turn: transaction,
  };
}
