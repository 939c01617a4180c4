import { expect, it } from 'vitest';
import { gridStep } from './grid.ts';

it.each([
  ['ArrowRight', 0, 1],
  ['ArrowLeft', 0, null],
  ['ArrowDown', 1, 5],
  ['ArrowUp', 5, 1],
  ['ArrowUp', 2, null],
  ['ArrowDown', 8, null],
  ['ArrowRight', 9, null],
  ['End', 2, 9],
  ['Home', 2, 0],
  ['Home', 0, null],
  ['a', 2, null],
])('in ten cells of four a row, %s from %i leads to %s', (key, at, to) => {
  expect(gridStep(key, at, 10, 4)).toBe(to);
});
