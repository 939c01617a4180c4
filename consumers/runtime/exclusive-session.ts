import { connect, type Connection, type Sql } from '../../db/client.ts';
import { readBackend, type Role, tryRole } from '../../db/queries/relay.ts';
import { processName } from '../process-name.ts';

/** Milliseconds between two tries to take the role, and between two looks whether it is still held. */
const TRY_EVERY = 1_000;
const CHECK_EVERY = 1_000;
/** Milliseconds between two signs of life, however long the holder of the role is busy elsewhere. */
const BEAT_EVERY = 1_000;
/** Milliseconds a sign of life may wait for its answer, behind whatever query is under way. After that the link is taken for dead. */
const DEAD_AFTER = 60_000;

/**
 * One direct Postgres session that holds, or waits for, one role. The Postgres client opens a new session in the place of a lost one
 * without telling, and the role is lost with the old one; `term` notices within a second. Whoever needs certainty fences its writes.
 * A heartbeat tells the server that the holder lives, and the holder that the server does: the server ends the session of a holder that is
 * frozen or cut off, and a link that died without a word is replaced, which rejects the queries that wait for it.
 */
export class ExclusiveSession {
  readonly #url: string;
  readonly #name: string;
  readonly #role: Role;
  #connection: Connection;
  #backend: number | null = null;
  #term = 0;
  #lookAgainAt = 0;
  #heartbeat: NodeJS.Timeout | null = null;
  /** When the sign of life was given that is not answered yet. */
  #beatAt: number | null = null;

  constructor(url: string, name: string, role: Role) {
    this.#url = url;
    this.#name = processName(name);
    this.#role = role;
    this.#connection = this.#connect();
  }

  get sql(): Sql {
    return this.#connection.sql;
  }

  /** The number of the present term, which rises with each taking of the role, or null while others hold it. Rejects if Postgres is away. */
  async term(): Promise<number | null> {
    this.#heartbeat ??= setInterval(() => this.#beat(), BEAT_EVERY).unref();
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
    clearInterval(this.#heartbeat ?? undefined);
    return this.#connection.close(hard ? 0 : 5);
  }

  #connect(): Connection {
    return connect(this.#url, { max: 1, applicationName: this.#name });
  }

  /** One sign of life at a time. */
  #beat(): void {
    if (this.#beatAt !== null) {
      if (Date.now() - this.#beatAt > DEAD_AFTER) this.#replace();
      return;
    }
    this.#beatAt = Date.now();
    const connection = this.#connection;
    const answered = (): void => {
      if (connection === this.#connection) this.#beatAt = null;
    };
    readBackend(connection.sql).then(answered, answered);
  }

  #replace(): void {
    const dead = this.#connection;
    this.#connection = this.#connect();
    this.#beatAt = null;
    this.doubt();
    void dead.close(0);
  }

  async #isHeld(): Promise<boolean> {
    const backend = this.#backend;
    this.#backend = null;
    const isHeld = (await readBackend(this.sql)) === backend;
    if (isHeld) this.#backend = backend;
    return isHeld;
  }
}
