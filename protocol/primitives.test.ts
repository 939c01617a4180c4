import { expect, it } from 'vitest';
import { momentSchema, timeSchema } from './primitives.ts';

it.each([
  ['2026-11-26T10:00:00+02:00', '2026-11-26T08:00:00.000Z'],
  ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['0001-01-01T00:00:00+14:00', '0001-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59-05:00', '9999-12-31T23:59:59.999Z'],
])('a time that people give is one of a year with four digits: %s', (given, expected) => {
  expect(timeSchema.parse(momentSchema.parse(given))).toBe(expected);
});
