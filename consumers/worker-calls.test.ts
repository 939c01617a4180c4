import { describe, expect, it } from 'vitest';
import { portions } from './worker-calls.ts';

describe('portions', () => {
  it('are cut by number and by size (G8)', () => {
    const sizes = (tellings: readonly string[]) => [...portions(tellings, 3)].map((portion) => portion.length);
    const large = 'x'.repeat(600_000);
    expect(sizes([])).toEqual([]);
    expect(sizes(['a', 'b', 'c', 'd'])).toEqual([3, 1]);
    expect(sizes([large, large, 'a', 'b'])).toEqual([1, 3]);
    expect(sizes([large + large, 'a'])).toEqual([1, 1]);
  });
});
