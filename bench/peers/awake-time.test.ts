import { expect, test } from 'vitest';
import { AwakeTime } from './awake-time.ts';

test('overlapping timers count once, the time between them not at all', () => {
  const awake = new AwakeTime();
  awake.begin('a', 1_000, 0);
  awake.begin('b', 2_000, 500);
  awake.end('a', 1_000);
  awake.end('b', 2_000);
  awake.begin('c', 9_000, 5_000);
  awake.end('c', 6_000);
  expect(awake.total(20_000)).toBe(3_000);
});

test('one that is pending counts up to now', () => {
  const awake = new AwakeTime();
  awake.begin('a', 10_000, 1_000);
  expect(awake.total(4_000)).toBe(3_000);
});

test('one that went with its request counts until it was due', () => {
  const awake = new AwakeTime();
  awake.begin('a', 1_200, 0);
  expect(awake.total(60_000)).toBe(1_200);
  awake.begin('b', 60_100, 60_000);
  awake.end('b', 60_100);
  awake.end('a', 61_000);
  expect(awake.total(70_000)).toBe(1_300);
});
