import type { SqlDriver } from './log/sql-driver.ts';

/** The one alarm of an object. Setting it replaces it. */
export interface AlarmPort {
  setAlarm(at: number): void;
  clearAlarm(): void;
}

export interface PurposeAlarm extends AlarmPort {
  /** When it is set to ring, in epoch milliseconds; null: it is not set. */
  alarmAt(): number | null;
}

/** What failed is due again after this time. */
const RETRY_MS = 30_000;
/** The platform repeats an alarm that fails six times, for about four minutes (Durable Objects documentation, 2026-11), and then gives it up. */
const GIVEN_UP_MS = 600_000;

const SCHEMA = 'CREATE TABLE IF NOT EXISTS alarms (purpose TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;';

/**
 * One alarm of an object for many purposes: it is set to the earliest. Times in epoch milliseconds.
 *
 * What a purpose is set to is as durable as what the same turn writes: its row, the platform's alarm and the turn's other writes are one commit. So
 * call `set` in the turn that makes the alarm necessary, and never within a write that may be rolled back. What did not change is not written.
 */
export class Alarms<P extends string> {
  readonly #sql: SqlDriver;
  readonly #port: AlarmPort;
  readonly #times = new Map<P, number>();
  /** Those that have a row. */
  readonly #stored = new Set<P>();
  /** What the platform's alarm is set to; null: not set. */
  #armedAt: number | null;

  /** `purposes`: all there are. Rows of others, which another release may have left, are passed over. */
  constructor(sql: SqlDriver, purposes: readonly P[], port: AlarmPort) {
    this.#sql = sql;
    this.#port = port;
    sql.run(SCHEMA);
    for (const row of sql.all<{ purpose: string; at: number }>('SELECT purpose, at FROM alarms')) {
      const purpose = purposes.find((known) => known === row.purpose);
      if (purpose === undefined) continue;
      this.#times.set(purpose, row.at);
      this.#stored.add(purpose);
    }
    this.#armedAt = this.#earliest();
  }

  at(purpose: P): number | null {
    return this.#times.get(purpose) ?? null;
  }

  /** What sees to one purpose only. */
  of(purpose: P): PurposeAlarm {
    return { alarmAt: () => this.at(purpose), setAlarm: (at) => this.set(purpose, at), clearAlarm: () => this.clear(purpose) };
  }

  set(purpose: P, time: number): void {
    const at = Math.ceil(time);
    if (this.#times.get(purpose) === at) return;
    this.#sql.run('INSERT INTO alarms (purpose, at) VALUES (?, ?) ON CONFLICT (purpose) DO UPDATE SET at = excluded.at', purpose, at);
    this.#stored.add(purpose);
    this.#go(purpose, at);
  }

  /**
   * As `set`, without a row: for what an instance sees for itself when it begins, and then arms again, as that its log is not drained. Rows cost; the platform's alarm, which
   * wakes that instance, is as durable.
   */
  arm(purpose: P, time: number): void {
    if (this.#stored.has(purpose)) this.set(purpose, time);
    else this.#go(purpose, Math.ceil(time));
  }

  /** As `set`, unless it is set. */
  ensure(purpose: P, time: number): void {
    if (!this.#times.has(purpose)) this.set(purpose, time);
  }

  clear(purpose: P): void {
    this.#drop(purpose);
    this.#follow();
  }

  /**
   * The alarm rang: what is due, and from now on no longer set; the platform's alarm is set for the rest. What the alarm was set for is due even where
   * the clock is a little behind it, so a purpose looks at the clock itself. Each sees to its work in this turn, or first sets itself again:
   * the platform repeats an alarm that failed, but then it is due no more. `ring` sees to that.
   */
  due(now: number): P[] {
    const until = Math.max(now, this.#armedAt ?? 0);
    this.#armedAt = null;
    const due = [...this.#times].filter(([, at]) => at <= until).map(([purpose]) => purpose);
    for (const purpose of due) this.#drop(purpose);
    this.#follow();
    return due;
  }

  /** Does what is due, each purpose by itself: one that fails is due again later, and holds up no other. Never rejects, so the platform gives nothing up. */
  async ring(now: number, work: Readonly<Record<P, () => void | Promise<void>>>, failed: (purpose: P, error: unknown) => void): Promise<void> {
    await Promise.all(this.due(now).map((purpose) => this.#attempt(purpose, now, work[purpose], failed)));
  }

  /** To be called by an instance that begins: what should have rung long ago was given up, while no instance could begin, and is set again. */
  revive(now: number): void {
    if (this.#armedAt === null || this.#armedAt > now - GIVEN_UP_MS) return;
    this.#armedAt = null;
    this.#follow();
  }

  async #attempt(purpose: P, now: number, work: () => void | Promise<void>, failed: (purpose: P, error: unknown) => void): Promise<void> {
    try {
      await work();
    } catch (error) {
      failed(purpose, error);
      this.ensure(purpose, now + RETRY_MS);
    }
  }

  #go(purpose: P, at: number): void {
    this.#times.set(purpose, at);
    this.#follow();
  }

  #drop(purpose: P): void {
    this.#times.delete(purpose);
    if (this.#stored.delete(purpose)) this.#sql.run('DELETE FROM alarms WHERE purpose = ?', purpose);
  }

  #follow(): void {
    const earliest = this.#earliest();
    if (earliest === this.#armedAt) return;
    this.#armedAt = earliest;
    if (earliest === null) this.#port.clearAlarm();
    else this.#port.setAlarm(earliest);
  }

  #earliest(): number | null {
    return this.#times.size === 0 ? null : Math.min(...this.#times.values());
  }
}
