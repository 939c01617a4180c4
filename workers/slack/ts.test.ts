import { describe, expect, it } from 'vitest';
import { firstIdOf, timeOfId } from '../../protocol/primitives.ts';
import { parseTs, stampText, tsOf, tsOfTime } from './ts.ts';

const id = firstIdOf(1_795_708_829_512);

describe('a ts', () => {
  it('is the time of a message, and what it alone is of that millisecond', () => {
    expect(timeOfId(id)).toBe(1_795_708_829_512);
    expect([tsOf({ id, seq: 7 }), tsOf({ id, seq: 4_017 }), tsOf({ id: firstIdOf(1_795_708_829_003), seq: 1_000 })]).toEqual(['1795708829.512007', '1795708829.512017', '1795708829.003000']);
    expect(Number(tsOf({ id, seq: 7 })) * 1_000).toBeCloseTo(1_795_708_829_512.007, 2);
  });

  it('is read as it was written, and rises with time', () => {
    const stamps = [0, 1, 999, 1_000, 1_795_708_829_512].flatMap((ms) => [0, 7, 999].map((remainder) => ({ ms, remainder })));
    expect(stamps.map(stampText).map(parseTs)).toEqual(stamps);
    const texts = stamps.slice(-3).map(stampText);
    expect(texts.toSorted()).toEqual(texts);
  });

  it('may be any time', () => {
    expect(['1795708829', '1795708829.5', '1795708829.512345678', '0'].map(parseTs)).toEqual([
      { ms: 1_795_708_829_000, remainder: 0 }, { ms: 1_795_708_829_500, remainder: 0 }, { ms: 1_795_708_829_512, remainder: 345 }, { ms: 0, remainder: 0 },
    ]);
    expect(tsOfTime('2026-11-26T12:00:29.512Z')).toBe('1795694429.512000');
  });

  it.each(['', 'x', '-1', '1.', '.5', '1e9', ' 1', '1795708829.512007 ', '1'.repeat(12), '1,5'])('is not %j', (text) => {
    expect(parseTs(text)).toBeNull();
  });
});
