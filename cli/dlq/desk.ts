import type { Connection } from '../../db/client.ts';

/** What every act of `colink dlq` works with. */
export interface Desk {
  readonly connection: Connection;
  /** One line to standard output; resolves when it may be followed. */
  print(line: string): Promise<void>;
  /** One line for the person, beside the output. */
  note(line: string): void;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Does one act with the ids and flags of the command line, and returns the exit code. */
export type Act = (desk: Desk, ids: readonly string[], flags: object) => Promise<number>;
