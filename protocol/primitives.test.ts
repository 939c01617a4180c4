import { expect, it } from 'vitest';
import { channelNameSchema, decimalSchema, momentSchema, timeSchema } from './primitives.ts';

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

it('the name of a channel may be of any script, in one form of Unicode, so that what looks the same is the same', () => {
  for (const name of ['plans', 'größer.2_x-y', '東京', 'हिन्दी', 'ภาษาไทย', 'தமிழ்', 'x\u0331']) expect(channelNameSchema.parse(name)).toBe(name);
  expect(['cafe\u0301', 'caf\u00e9', '\u1112\u1161\u11ab', '\u0958'].map((name) => channelNameSchema.parse(name))).toEqual(['caf\u00e9', 'caf\u00e9', '\ud55c', '\u0915\u093c']);
});

it.each(['', '\u0301', 'a b', '-a', 'a#', 'x'.repeat(81), '\u0958'.repeat(80), '\ud800', 'a\u200d', '\u3164', 'general\u3164', 'general\uffa0', 'a\ufe0f', 'a\u034f', 'a\u{e0100}', 'a\u180e', '\u202ea'])(
  'a channel is not called %j', (name) => expect(channelNameSchema.safeParse(name).success).toBe(false));

it('no letter, mark or digit that shows as nothing is in the name of a channel', () => {
  const unseen = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code)).filter((one) => /[\p{L}\p{M}\p{N}]/u.test(one) && /\p{Default_Ignorable_Code_Point}/u.test(one));
  expect(unseen.length).toBeGreaterThan(200);
  expect(unseen.filter((one) => channelNameSchema.safeParse(`a${one}`).success || channelNameSchema.safeParse(one).success)).toEqual([]);
});
