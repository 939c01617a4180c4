import { describe, expect, it } from 'vitest';
import { integer, seededRandom } from '../../client/testing/random.ts';
import { SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
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

  const seed = seedOfRun();
  it(`counts no less than is not read, no more than a part and a frame besides, and exactly nothing where all is read (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const sizes: number[] = [];
    let cursor = cursorAt(0);
    for (let step = 0; step < 5_000; step += 1) {
      const bytes = 1 + integer(random, 100_000);
      if (accepts(cursor, 1, bytes)) cursor = advance(cursor, sizes.push(bytes), bytes);
      else cursor = acked(cursor, cursor.acked + 1 + integer(random, cursor.sent - cursor.acked));
      const unread = sizes.slice(cursor.acked).reduce((sum, size) => sum + size, 0);
      const counted = SOCKET_WINDOW_BYTES - credit(cursor).bytes;
      expect(counted).toBeGreaterThanOrEqual(unread);
      expect(counted - unread).toBeLessThan(SOCKET_WINDOW_BYTES / 8 + 100_000);
      expect(cursor.unread.length).toBeLessThanOrEqual(9);
    }
    expect(acked(cursor, cursor.sent)).toEqual(cursorAt(cursor.sent));
  });

  it('refuses an ack of what was not sent, and ignores an old one (P16)', () => {
    const cursor = acked(advance(cursorAt(0), 5, 10), 4);
    expect(acknowledge(cursor, 6)).toBeNull();
    expect(acknowledge(cursor, 2)).toBe(cursor);
  });
});
