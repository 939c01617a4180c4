import { expect, it } from 'vitest';
import type { LogEvent } from '../log/event-log.ts';
import { Ring } from './ring.ts';

const events = (from: number, to: number, bytes = 10): LogEvent[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ seq: from + index, json: '{}', bytes }));
const seqs = (found: readonly LogEvent[]): number[] => found.map(({ seq }) => seq);

function ringAt(seq: number): Ring {
  const ring = new Ring();
  ring.skipTo(1, seq);
  return ring;
}

it('takes what follows, once, and refuses a gap', () => {
  const ring = ringAt(5);
  expect(seqs(ring.append(events(4, 7)))).toEqual([6, 7]);
  expect(seqs(ring.append(events(6, 7)))).toEqual([]);
  expect(() => ring.append(events(9, 9))).toThrow('does not follow');
  expect(ring.state).toEqual({ epoch: 1, seq: 7, firstSeq: 6 });
});

it('serves what it has, within counts and bytes, and nothing of what it has not', () => {
  const ring = ringAt(5);
  ring.append(events(6, 20));
  expect(seqs(ring.since(5, 3, 1_000))).toEqual([6, 7, 8]);
  expect(seqs(ring.since(8, 100, 25))).toEqual([9, 10, 11]);
  expect([ring.since(4, 100, 1_000), ring.since(20, 100, 1_000), ring.retains(5), ring.retains(6)]).toEqual([[], [], false, true]);
});

it('keeps the newest, by count and by bytes (G8)', () => {
  const ring = ringAt(0);
  for (let seq = 1; seq <= 20_000; seq += 500) ring.append(events(seq, seq + 499));
  expect(ring.state.seq).toBe(20_000);
  expect(ring.state.firstSeq).toBeGreaterThan(14_000);
  for (let seq = 20_001; seq <= 21_000; seq++) ring.append(events(seq, seq, 64 * 1024));
  expect(21_000 - ring.state.firstSeq).toBeLessThan(128);
  expect(seqs(ring.since(20_999, 10, 10))).toEqual([21_000]);
});
