import { expect, it } from 'vitest';
import { decimalSchema, momentSchema, timeSchema } from './primitives.ts';

it.each([
  ['2026-11-26T10:00:00+02:00', '2026-11-26T08:00:00.000Z'],
  ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['0001-01-01T00:00:00+14:00', '0001-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59-05:00', '9999-12-31T23:59:59.999Z'],
])('a time that people give is one of a year with four digits: %s', (given, expected) => {
  expect(timeSchema.parse(momentSchema.parse(given))).toBe(expected);
});

it('a whole number in text is decimal digits, within its bounds, and nothing that JavaScript takes for a number besides', () => {
  const numbers = decimalSchema(-1, 100);
  expect(['5', '100', '007', '0', '-1'].map((text) => numbers.parse(text))).toEqual([5, 100, 7, 0, -1]);
  const none = ['', ' ', ' 5', '5 ', '5\n', '+5', '5.0', '5.', '.5', '1e1', '0x1', '0b1', '0o7', '1_0', '1,0', '٥', '--1', '-', 'NaN', 'Infinity', 'true', '101', '-2', '9'.repeat(400), ['5'], 5, true, null, undefined];
  expect(none.filter((value) => numbers.safeParse(value).success)).toEqual([]);
});
