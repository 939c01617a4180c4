import { describe, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { EventLog, LOG_SCHEMA } from './event-log.ts';
import type { SqlDriver } from './sql-driver.ts';

function newLog(seq = 0): { sql: SqlDriver; log: EventLog } {
  const sql = nodeSqlite();
  sql.run(LOG_SCHEMA);
  return { sql, log: EventLog.create(sql, 1, 1, seq) };
}

function fill(log: EventLog, sql: SqlDriver, count: number, text = 'x'): void {
  sql.transaction(() => {
    for (let n = 0; n < count; n++) log.append({ seq: log.state.seq + 1, text }, 1_000 + n);
  });
}

const seqs = (events: readonly { seq: number }[]): number[] => events.map(({ seq }) => seq);

describe('EventLog', () => {
  it('numbers without gaps, from where it begins', () => {
    const { sql, log } = newLog(41);
    fill(log, sql, 3);
    expect(seqs(log.since(41, 10, 1_000))).toEqual([42, 43, 44]);
    expect(log.state).toMatchObject({ seq: 44, drainedSeq: 41, firstSeq: 42 });
  });

  it('is the same after it was opened again', () => {
    const { sql, log } = newLog();
    fill(log, sql, 5);
    log.markDrained(2);
    expect(EventLog.open(sql).state).toEqual(log.state);
  });

  it('stands where its newest event does, which alone was written (G1)', () => {
    const { sql, log } = newLog(41);
    fill(log, sql, 3, 'é');
    expect(sql.all('SELECT seq, end_offset FROM log_state')).toEqual([{ seq: 41, end_offset: 0 }]);
    expect(EventLog.open(sql).state).toEqual(log.state);
  });

  it('counts bytes in UTF-8', () => {
    const { sql, log } = newLog();
    fill(log, sql, 1, 'é€😀');
    expect(log.undrainedBytes).toBe(new TextEncoder().encode(JSON.stringify({ seq: 1, text: 'é€😀' })).length);
  });

  it('reads at most so many events, and bytes to within one event', () => {
    const { sql, log } = newLog();
    fill(log, sql, 9, 'x'.repeat(100));
    const size = log.since(0, 1, 1)[0]?.bytes ?? 0;
    expect(seqs(log.since(2, 3, 1_000_000))).toEqual([3, 4, 5]);
    expect(seqs(log.since(2, 100, size * 2))).toEqual([3, 4]);
    expect(seqs(log.since(2, 100, size * 2 + 1))).toEqual([3, 4, 5]);
    expect(seqs(log.since(2, 100, 1))).toEqual([3]);
    expect(log.since(9, 100, 1_000)).toEqual([]);
  });

  it('hands the drain the trace of each event that was appended under one, and nobody else', () => {
    const { sql, log } = newLog();
    fill(log, sql, 1);
    log.traced('a', () => fill(log, sql, 2));
    log.traced(undefined, () => fill(log, sql, 1));
    const traces = () => log.undrained(10, 1_000).map(({ seq, traceparent }) => [seq, traceparent]);
    expect(traces()).toEqual([[1, undefined], [2, 'a'], [3, 'a'], [4, undefined]]);
    expect(log.since(0, 10, 1_000).filter((event) => 'traceparent' in event)).toEqual([]);
    const undrained = log.state;
    log.markDrained(2);
    // What is drained has none any more, which is seen where it is undone.
    log.rewind(undrained);
    expect(traces()).toEqual([[1, undefined], [2, undefined], [3, 'a'], [4, undefined]]);
    log.markDrained(2);
    expect(traces()).toEqual([[3, 'a'], [4, undefined]]);
    // Of what is rolled back nothing is left for what gets its number.
    const before = log.state;
    expect(() => log.traced('b', () => sql.transaction(() => {
      log.append({}, 1);
      throw new Error('undone');
    }))).toThrow('undone');
    log.rewind(before);
    fill(log, sql, 1);
    expect(traces()).toEqual([[3, 'a'], [4, undefined], [5, undefined]]);
  });

  it('keeps what is not drained, and a ring of what is', () => {
    const { sql, log } = newLog();
    fill(log, sql, 22_000);
    log.markDrained(500);
    expect(log.state.firstSeq).toBe(501);
    log.markDrained(22_000);
    expect(log.state.firstSeq).toBe(2_001);
    expect(log.retains(2_000)).toBe(false);
    expect(log.since(1_000, 10, 1_000)).toEqual([]);
    expect(seqs(log.since(2_000, 2, 1_000))).toEqual([2_001, 2_002]);
  });

  it('bounds the ring by bytes too', () => {
    const { sql, log } = newLog();
    fill(log, sql, 400, 'x'.repeat(50_000));
    log.markDrained(400);
    const { end, firstOffset, firstSeq } = log.state;
    expect(end - firstOffset).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(end - firstOffset).toBeGreaterThan(16 * 1024 * 1024 - 60_000);
    expect(log.since(firstSeq - 1, 1, 1)).toHaveLength(1);
  });

  it('tells how much is not drained, and since when', () => {
    const { sql, log } = newLog();
    fill(log, sql, 4);
    log.markDrained(1);
    expect([log.undrainedEvents, log.undrainedSince()]).toEqual([3, 1_001]);
    log.markDrained(4);
    expect([log.undrainedEvents, log.undrainedBytes, log.undrainedSince()]).toEqual([0, 0, null]);
  });

  it('can be drained again from an earlier event', () => {
    const { sql, log } = newLog();
    fill(log, sql, 4);
    const bytes = log.undrainedBytes;
    log.markDrained(4);
    log.markDrained(0);
    expect([seqs(log.undrained(10, 1_000)), log.undrainedBytes]).toEqual([[1, 2, 3, 4], bytes]);
  });
});
