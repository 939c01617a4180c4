import { describe, expect, test } from 'vitest';
import { bar, exact, rounded, toJsonLine, toTable, type BenchResult } from './report.ts';

describe('a bar', () => {
  test.each([
    [0.35, { at_least: 0.35 }, true],
    [0.349, { at_least: 0.35 }, false],
    [2, { at_most: 2 }, true],
    [2.01, { at_most: 2 }, false],
    [Number.NaN, { at_least: 0 }, false],
    [Number.NaN, { at_most: 1 }, false],
  ] as const)('of %d against %o', (value, bound, holds) => expect(bar('x', value, bound).holds).toBe(holds));

  test('says its bound in words', () => {
    expect(bar('x', 12_345.678, { at_least: 15 })).toEqual({ name: 'x', value: 12_346, bound: '>= 15', holds: true });
  });

  test('judges the value as measured, not as printed', () => {
    expect(bar('x', 0.34996, { at_least: 0.35 })).toMatchObject({ value: 0.35, holds: false });
  });

  test('may ask for an exact count', () => {
    expect([exact('kept', 10, 10).holds, exact('kept', 11, 10).holds]).toEqual([true, false]);
  });
});

test('rounding keeps three digits', () => {
  expect([4_123.7, 0.37123, 22.46, 0, Number.NaN].map(rounded)).toEqual([4_124, 0.371, 22.5, 0, Number.NaN]);
});

describe('a result', () => {
  const result: BenchResult = {
    bench: 'send',
    figures: { send_per_s: 4_100 },
    ratios: { send_to_noop: 0.37 },
    bars: [bar('send_to_noop', 0.37, { at_least: 0.35 }), bar('drain_lag_s', 3, { at_most: 2 })],
  };

  test('is one JSON object on one line', () => {
    expect(toJsonLine(result)).not.toContain('\n');
    expect(JSON.parse(toJsonLine(result))).toEqual(result);
  });

  test('is a table for people', () => {
    expect(toTable(result)).toContain('send_to_noop (ratio)');
    expect(toTable(result)).toMatch(/drain_lag_s .* 3 {2}<= 2 +FAILS/);
  });
});
