export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

/** The synchronous SQLite under a log: a Durable Object's own, or any other with the same statements. */
export interface SqlDriver {
  /** Rows of one statement; `R` names the columns that the statement selects. */
  all<R extends SqlRow>(statement: string, ...bindings: SqlValue[]): R[];
  /** One statement, or several without bindings. Returns how many rows were written, those of indexes included: 0 means none. */
  run(statement: string, ...bindings: SqlValue[]): number;
  /** Commits what `body` wrote, or rolls it back when `body` throws. Nests. */
  transaction<T>(body: () => T): T;
  /**
   * Commits what `body` wrote with the rest of its turn, without the journal that undoing would need. Where `body` throws, nothing of the
   * turn is kept either, but the driver may end this instance to make it so.
   */
  turn<T>(body: () => T): T;
}
