import type { SqlDriver } from './sql-driver.ts';

/** Drained events a log keeps for readers that resume: up to both. Trimmed in steps, so that one append rarely pays for it. */
const RING_EVENTS = 20_000;
const RING_BYTES = 16 * 1024 * 1024;
const TRIM_EVENTS = 1_000;
const TRIM_BYTES = 1024 * 1024;

/** `json` is encoded once, when appended: the log, the frames and the drain share it. `bytes` is its size in UTF-8. */
export interface LogEvent {
  readonly seq: number;
  readonly json: string;
  readonly bytes: number;
  /** Of the request that caused it, where that is known. */
  readonly traceparent?: string;
}

/**
 * Where a log stands. `seq` is its newest event; all up to `drainedSeq` is in Postgres. The offsets count the bytes of all events
 * ever appended: `end` after the newest, `drainedEnd` after the last drained. Events before `firstSeq` are in Postgres only.
 */
export interface LogState {
  readonly epoch: number;
  readonly fence: number;
  readonly seq: number;
  readonly end: number;
  readonly drainedSeq: number;
  readonly drainedEnd: number;
  readonly firstSeq: number;
  readonly firstOffset: number;
}

export const LOG_SCHEMA = `
  CREATE TABLE events (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, start_offset INTEGER NOT NULL, bytes INTEGER NOT NULL, json TEXT NOT NULL);
  CREATE TABLE log_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL, fence INTEGER NOT NULL, seq INTEGER NOT NULL, end_offset INTEGER NOT NULL,
    drained_seq INTEGER NOT NULL, drained_end INTEGER NOT NULL, first_seq INTEGER NOT NULL, first_offset INTEGER NOT NULL
  );`;

const encoder = new TextEncoder();
/** JSON is mostly printable ASCII, which need not be encoded to be measured. */
const ASCII = /^[ -~]*$/;

/**
 * An ordered log in SQLite: `append`, `since`, and the cursor of its drain. Invariants: `seq` has no gaps; nothing is forgotten before
 * it is drained; `state` is the stored row, and where the newest event goes beyond its `seq` and `end`, that event. So an append writes the event and nothing else.
 */
export class EventLog {
  readonly #sql: SqlDriver;
  /** Of undrained events, by `seq`, in its order. */
  readonly #traces = new Map<number, string>();
  #trace: string | undefined;
  #state: LogState;

  /** Begins a log after `seq`, all of which is drained. */
  static create(sql: SqlDriver, epoch: number, fence: number, seq: number): EventLog {
    sql.run(
      `INSERT INTO log_state (id, epoch, fence, seq, end_offset, drained_seq, drained_end, first_seq, first_offset)
       VALUES (1, ?, ?, ?, 0, ?, 0, ?, 0)`,
      epoch, fence, seq, seq, seq + 1,
    );
    return EventLog.open(sql);
  }

  static open(sql: SqlDriver): EventLog {
    const [state] = sql.all<{ [K in keyof LogState]: number }>(
      `SELECT epoch, fence, seq, end_offset AS "end", drained_seq AS "drainedSeq", drained_end AS "drainedEnd",
         first_seq AS "firstSeq", first_offset AS "firstOffset" FROM log_state WHERE id = 1`,
    );
    if (state === undefined) throw new Error('the log has no state');
    const [newest] = sql.all<{ seq: number; end: number }>('SELECT seq, start_offset + bytes AS "end" FROM events ORDER BY seq DESC LIMIT 1');
    return new EventLog(sql, newest !== undefined && newest.seq > state.seq ? { ...state, ...newest } : state);
  }

  private constructor(sql: SqlDriver, state: LogState) {
    this.#sql = sql;
    this.#state = state;
  }

  get state(): LogState {
    return this.#state;
  }

  get undrainedEvents(): number {
    return this.#state.seq - this.#state.drainedSeq;
  }

  get undrainedBytes(): number {
    return this.#state.end - this.#state.drainedEnd;
  }

  /** Puts the state back to what `state` was before a transaction that has been rolled back. */
  rewind(state: LogState): void {
    this.#state = state;
  }

  /**
   * What `write` appends bears this trace context on its way into Postgres. It is kept in memory alone, so an instance that ends before it has drained takes it along: that costs a trace a link, and
   * nobody an event.
   */
  traced<T>(traceparent: string | undefined, write: () => T): T {
    this.#trace = traceparent;
    try {
      return write();
    } finally {
      this.#trace = undefined;
    }
  }

  /** Appends the event numbered `state.seq + 1`, inside the caller's transaction. `at` in epoch milliseconds. */
  append(event: object, at: number): LogEvent {
    const json = JSON.stringify(event);
    const bytes = ASCII.test(json) ? json.length : encoder.encode(json).length;
    const { seq: last, end } = this.#state;
    const seq = last + 1;
    this.#sql.run('INSERT INTO events (seq, at, start_offset, bytes, json) VALUES (?, ?, ?, ?, ?)', seq, at, end, bytes, json);
    this.#state = { ...this.#state, seq, end: end + bytes };
    // What was rolled back may have had this number before.
    if (this.#traces.size > 0) this.#traces.delete(seq);
    if (this.#trace !== undefined) this.#traces.set(seq, this.#trace);
    return { seq, json, bytes };
  }

  /**
   * The events after `seq`, at most `maxEvents`; and no further ones once they reach `maxBytes`, so one event may exceed it. Empty where
   * `seq` is the head, or is older than what is retained.
   */
  since(seq: number, maxEvents: number, maxBytes: number): LogEvent[] {
    return this.#sql.all<{ seq: number; json: string; bytes: number }>(
      `SELECT seq, json, bytes FROM events
       WHERE seq > ?1 AND seq <= ?1 + ?2 AND start_offset < (SELECT start_offset FROM events WHERE seq = ?1 + 1) + ?3 ORDER BY seq`,
      seq, maxEvents, maxBytes,
    );
  }

  retains(seq: number): boolean {
    return seq >= this.#state.firstSeq;
  }

  undrained(maxEvents: number, maxBytes: number): LogEvent[] {
    const events = this.since(this.#state.drainedSeq, maxEvents, maxBytes);
    return this.#traces.size === 0 ? events : events.map((event) => this.#withTrace(event));
  }

  #withTrace(event: LogEvent): LogEvent {
    const traceparent = this.#traces.get(event.seq);
    return traceparent === undefined ? event : { ...event, traceparent };
  }

  /** When the oldest undrained event was appended, in epoch milliseconds; null where all is drained. */
  undrainedSince(): number | null {
    const [row] = this.#sql.all<{ at: number }>('SELECT at FROM events WHERE seq = ?', this.#state.drainedSeq + 1);
    return row?.at ?? null;
  }

  /** Moves the drain's cursor, forward as Postgres confirms, or back to where a restored Postgres stands, if that is retained. */
  markDrained(seq: number): void {
    this.#sql.transaction(() => {
      this.#state = { ...this.#state, drainedSeq: seq, drainedEnd: this.#offsetAfter(seq) };
      this.#trim();
      this.#save();
    });
    for (const traced of this.#traces.keys()) if (traced <= seq) this.#traces.delete(traced);
  }

  /** A new claim on the log: every later drain carries it, and Postgres refuses older ones. */
  claim(epoch: number, fence: number): void {
    this.#state = { ...this.#state, epoch, fence };
    this.#save();
  }

  #save(): void {
    const s = this.#state;
    this.#sql.run(
      `UPDATE log_state SET epoch = ?, fence = ?, seq = ?, end_offset = ?, drained_seq = ?, drained_end = ?, first_seq = ?, first_offset = ?
       WHERE id = 1`,
      s.epoch, s.fence, s.seq, s.end, s.drainedSeq, s.drainedEnd, s.firstSeq, s.firstOffset,
    );
  }

  #offsetAfter(seq: number): number {
    if (seq === this.#state.seq) return this.#state.end;
    const [next] = this.#sql.all<{ start_offset: number }>('SELECT start_offset FROM events WHERE seq = ?', seq + 1);
    if (next === undefined) throw new Error(`event ${seq + 1} is not retained`);
    return next.start_offset;
  }

  #trim(): void {
    const { seq, end, drainedSeq, firstSeq, firstOffset } = this.#state;
    if (seq - firstSeq < RING_EVENTS + TRIM_EVENTS && end - firstOffset < RING_BYTES + TRIM_BYTES) return;
    const first = Math.min(drainedSeq + 1, Math.max(seq - RING_EVENTS + 1, this.#firstWithin(end - RING_BYTES)));
    this.#sql.run('DELETE FROM events WHERE seq < ?', first);
    this.#state = { ...this.#state, firstSeq: first, firstOffset: this.#offsetAfter(first - 1) };
  }

  #firstWithin(offset: number): number {
    const [row] = this.#sql.all<{ seq: number }>('SELECT seq FROM events WHERE start_offset >= ? ORDER BY seq LIMIT 1', offset);
    return row?.seq ?? this.#state.seq + 1;
  }
}
