import type { SqlDriver } from '../log/sql-driver.ts';

/** Not there before 2026-11-26. */
const SCHEMA = 'CREATE TABLE IF NOT EXISTS edit_window (id INTEGER PRIMARY KEY CHECK (id = 1), seconds INTEGER);';

/** How long the setting is taken for what it was, in milliseconds: so much later at most a room goes by a change of it. */
export const EDIT_WINDOW_KNOWN_MS = 60_000;
/** How long an edit waits to learn it, and how long after a failure nobody asks, in milliseconds. */
const PATIENCE_MS = 2_000;
const PAUSE_MS = 5_000;
/** As a workspace begins. */
const INITIAL_SECONDS = 900;

/** How long after it was sent a message may be edited, in SQLite: the setting as this room has heard of it last. */
export class EditWindow {
  readonly #sql: SqlDriver;
  #seconds: number | null;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
    const [row] = sql.all<{ seconds: number | null }>('SELECT seconds FROM edit_window WHERE id = 1');
    this.#seconds = row === undefined ? INITIAL_SECONDS : row.seconds;
  }

  /** Null: for good. */
  get seconds(): number | null {
    return this.#seconds;
  }

  learn(seconds: number | null): void {
    if (seconds === this.#seconds) return;
    this.#sql.run('INSERT OR REPLACE INTO edit_window (id, seconds) VALUES (1, ?)', seconds);
    this.#seconds = seconds;
  }

  /** Both in epoch milliseconds. */
  isOver(sentAt: number, now: number): boolean {
    return this.#seconds !== null && now - sentAt >= this.#seconds * 1_000;
  }
}

export interface EditWindowPorts {
  clock(): number;
  schedule(ms: number, task: () => void): void;
  /** The setting as Postgres has it; rejects where that is away. */
  read(): Promise<number | null>;
  /** Postgres is about to be asked. */
  asking(): void;
}

/**
 * Asks for the setting once a minute at most, and only for who edits. Rooms are not told of a change: that would wake every room there is. Where Postgres does
 * not answer in time the room goes by what it knew.
 */
export class EditWindowLookup {
  readonly #window: EditWindow;
  readonly #ports: EditWindowPorts;
  #validUntil = 0;
  #running: Promise<void> | null = null;

  constructor(window: EditWindow, ports: EditWindowPorts) {
    this.#window = window;
    this.#ports = ports;
  }

  get isDue(): boolean {
    return this.#ports.clock() >= this.#validUntil;
  }

  async refresh(): Promise<void> {
    if (!this.isDue) return;
    this.#running ??= this.#ask().finally(() => (this.#running = null));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ports.schedule(PATIENCE_MS, resolve);
    await Promise.race([this.#running, promise]);
  }

  async #ask(): Promise<void> {
    this.#ports.asking();
    try {
      this.#window.learn(await this.#ports.read());
      this.#validUntil = this.#ports.clock() + EDIT_WINDOW_KNOWN_MS;
    } catch {
      this.#validUntil = this.#ports.clock() + PAUSE_MS;
    }
  }
}
