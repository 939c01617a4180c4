import { connect, type Connection, type Sql } from '../../db/client.ts';
import { readBackend, type Role, tryRole } from '../../db/queries/relay.ts';

/** Milliseconds between two tries to take the role, and between two looks whether it is still held. */
const TRY_EVERY = 1_000;
const CHECK_EVERY = 1_000;

/**
 * One direct Postgres session that holds, or waits for, one role. The Postgres client opens a new session in the place of a lost one
 * without telling, and the role is lost with the old one; `term` notices within a second. Whoever needs certainty fences its writes.
 */
export class ExclusiveSession {
  readonly #connection: Connection;
  readonly #role: Role;
  #backend: number | null = null;
  #term = 0;
  #lookAgainAt = 0;

  constructor(url: string, name: string, role: Role) {
    this.#connection = connect(url, { max: 1, applicationName: name });
    this.#role = role;
  }

  get sql(): Sql {
    return this.#connection.sql;
  }

  /** The number of the present term, which rises with each taking of the role, or null while others hold it. Rejects if Postgres is away. */
  async term(): Promise<number | null> {
    if (Date.now() < this.#lookAgainAt) return this.#backend === null ? null : this.#term;
    this.#lookAgainAt = Date.now() + (this.#backend === null ? TRY_EVERY : CHECK_EVERY);
    if (this.#backend !== null && (await this.#isHeld())) return this.#term;
    this.#backend = await tryRole(this.sql, this.#role);
    if (this.#backend === null) return null;
    this.#term += 1;
    return this.#term;
  }

  /** Makes the next `term` look whether the role is still held. */
  doubt(): void {
    this.#lookAgainAt = 0;
  }

  /** Ends the session, and the role with it. `hard`: without waiting for a query under way. */
  close(hard: boolean): Promise<void> {
    return this.#connection.close(hard ? 0 : 5);
  }

  async #isHeld(): Promise<boolean> {
    const backend = this.#backend;
    this.#backend = null;
    const isHeld = (await readBackend(this.sql)) === backend;
    if (isHeld) this.#backend = backend;
    return isHeld;
  }
}
