import { describe, expect, it } from 'vitest';
import { SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';
import { accepts, acknowledge, advance, credit, type Cursor, cursorAt } from './cursor.ts';

const acked = (cursor: Cursor, seq: number): Cursor => {
  const next = acknowledge(cursor, seq);
  if (next === null) throw new Error('refused');
  return next;
};

describe('a cursor', () => {
  it('takes events while its window has credit (P17)', () => {
    const full = advance(cursorAt(0), SOCKET_WINDOW_EVENTS, 10);
    expect(accepts(full, 1, 1)).toBe(false);
    expect(accepts(acked(full, 1), 1, 1)).toBe(true);
    expect(accepts(acked(full, 1), 2, 1)).toBe(false);
  });

  it('takes bytes while its window has credit (P17)', () => {
    const full = advance(cursorAt(0), 2, SOCKET_WINDOW_BYTES - 5);
    expect([accepts(full, 1, 5), accepts(full, 1, 6)]).toEqual([true, false]);
  });

  it('takes one event of any size where all is read (P17)', () => {
    expect(accepts(cursorAt(7), 1, SOCKET_WINDOW_BYTES * 2)).toBe(true);
  });

  it('never has fewer bytes on the way than are not read, and knows them exactly where all is read', () => {
    let cursor = advance(advance(advance(cursorAt(0), 1, 100), 2, 200), 3, 400);
    const unread = (seq: number): number => [700, 600, 400, 0][seq] ?? 0;
    for (const seq of [1, 2]) {
      cursor = acked(cursor, seq);
      expect(cursor.bytes).toBeGreaterThanOrEqual(unread(seq));
    }
    expect(acked(cursor, 3)).toEqual(cursorAt(3));
  });

  it('gets its bytes back also from a client that always acks late', () => {
    let cursor = cursorAt(0);
    for (let seq = 1; seq <= 10_000; seq++) {
      cursor = advance(cursor, seq, 1_000);
      if (seq > 3) cursor = acked(cursor, seq - 3);
    }
    expect(cursor.bytes).toBeLessThanOrEqual(8_000);
    expect(credit(cursor).events).toBe(SOCKET_WINDOW_EVENTS - 3);
  });

  it('refuses an ack of what was not sent, and ignores an old one (P16)', () => {
    const cursor = acked(advance(cursorAt(0), 5, 10), 4);
    expect(acknowledge(cursor, 6)).toBeNull();
    expect(acknowledge(cursor, 2)).toBe(cursor);
  });
});
