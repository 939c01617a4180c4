export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

/** The synchronous SQLite under a log: a Durable Object's own, or any other with the same statements. */
export interface SqlDriver {
  /** Rows of one statement; `R` names the columns that the statement selects. */
  all<R extends SqlRow>(statement: string, ...bindings: SqlValue[]): R[];
  /** One statement, or several without bindings. */
  run(statement: string, ...bindings: SqlValue[]): void;
  /** Commits what `body` wrote, or rolls it back when `body` throws. Nests. */
  transaction<T>(body: () => T): T;
}
