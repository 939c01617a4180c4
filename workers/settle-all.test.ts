import { expect, it } from 'vitest';
import { settleAll } from './settle-all.ts';

it('works through all, so many at a time, whatever fails', async () => {
  let [running, peak] = [0, 0];
  const outcomes = await settleAll([1, 2, 3, 4, 5], 2, async (n) => {
    peak = Math.max(peak, (running += 1));
    await Promise.resolve();
    running -= 1;
    if (n === 2) throw new Error('two');
    return n;
  });
  expect(peak).toBe(2);
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'failed'))).toEqual([1, 'failed', 3, 4, 5]);
});
