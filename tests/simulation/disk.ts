import type { SqlDriver } from '../../durable-objects/log/sql-driver.ts';
import { nodeSqlite } from '../support/node-sqlite.ts';

/**
 * An object's storage with its output gate: what was written becomes durable a moment later, all at once; what the object says is held until
 * all it had written before is durable. A crash takes both.
 */
export class Disk {
  readonly sql: SqlDriver;
  readonly #sqlite = nodeSqlite();
  readonly #schedule: (flush: () => void) => void;
  readonly #flushed: () => void;
  #held: (() => void)[] = [];
  #dirty = false;
  #alarm: number | null = null;
  #durableAlarm: number | null = null;

  /** `schedule` is to run its task once, a moment later; `flushed` is told of what has just become durable, before anything is let out. */
  constructor(schedule: (flush: () => void) => void, flushed: () => void) {
    this.#schedule = schedule;
    this.#flushed = flushed;
    this.#sqlite.run('BEGIN');
    this.sql = {
      all: (statement, ...bindings) => this.#sqlite.all(statement, ...bindings),
      run: (statement, ...bindings) => this.#wrote(() => this.#sqlite.run(statement, ...bindings)),
      transaction: (body) => this.#wrote(() => this.#sqlite.transaction(body)),
      turn: (body) => this.#wrote(() => this.#sqlite.turn(body)),
    };
  }

  get alarm(): number | null {
    return this.#alarm;
  }

  setAlarm(at: number | null): void {
    this.#wrote(() => (this.#alarm = at));
  }

  /** Lets `output` out once all that was written is durable. */
  gate(output: () => void): void {
    if (this.#dirty || this.#held.length > 0) this.#held.push(output);
    else output();
  }

  durable(): Promise<void> {
    return new Promise((resolve) => this.gate(resolve));
  }

  flush(): void {
    this.#sqlite.run('COMMIT');
    this.#sqlite.run('BEGIN');
    this.#dirty = false;
    this.#durableAlarm = this.#alarm;
    this.#flushed();
    const held = this.#held;
    this.#held = [];
    for (const output of held) output();
  }

  /** What is not durable is gone, and so is all that waited for it. */
  crash(): void {
    this.#sqlite.run('ROLLBACK');
    this.#sqlite.run('BEGIN');
    this.#dirty = false;
    this.#held = [];
    this.#alarm = this.#durableAlarm;
  }

  #wrote<T>(write: () => T): T {
    if (!this.#dirty) this.#schedule(() => this.#dirty && this.flush());
    this.#dirty = true;
    return write();
  }
}
