import { expect, test } from 'vitest';
import { worstDrainLag } from './drain-lag.ts';

const acks = (...pairs: [seq: number, at: number][]) => ({
  seqs: Float64Array.from(pairs, ([seq]) => seq),
  ackedAt: Float64Array.from(pairs, ([, at]) => at),
});

test('the lag is the age of the oldest message that is not drained', () => {
  const round = acks([1, 100], [2, 200], [3, 300]);
  expect(worstDrainLag([{ at: 350, drainedSeq: 1 }], round)).toBe(150);
  expect(worstDrainLag([{ at: 350, drainedSeq: 1 }, { at: 500, drainedSeq: 2 }, { at: 600, drainedSeq: 3 }], round)).toBe(200);
});

test('a message that was acknowledged before an earlier one counts from its own time', () => {
  expect(worstDrainLag([{ at: 400, drainedSeq: 0 }], acks([2, 100], [1, 300]))).toBe(300);
});

test('there is none when all is drained, or nothing was acknowledged yet', () => {
  expect(worstDrainLag([{ at: 400, drainedSeq: 9 }], acks([1, 100]))).toBe(0);
  expect(worstDrainLag([{ at: 50, drainedSeq: 0 }], acks([1, 100]))).toBe(0);
  expect(worstDrainLag([], acks())).toBe(0);
});
