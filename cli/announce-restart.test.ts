import { expect, it } from 'vitest';
import { withinSchema } from './announce-restart.ts';

it('reads times in seconds and minutes, from 1 s to 2 min', () => {
  expect(['60s', 90, '1m', '2m', '120'].map((text) => withinSchema.parse(text))).toEqual([60, 90, 60, 120, 120]);
  for (const text of ['0', '3m', '121s', '1h', '-1', '1.5s', '']) expect(withinSchema.safeParse(text).success).toBe(false);
});
