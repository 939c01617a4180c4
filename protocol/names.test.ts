import { describe, expect, it } from 'vitest';
import { displayNameSchema, handleSchema, lineSchema, nearestLine } from './names.ts';

const line = lineSchema(20);

describe('a name', () => {
  it.each([
    [' Ada   Lovelace ', 'Ada Lovelace'],
    ['Ada\u00a0\u2003Lovelace', 'Ada Lovelace'],
    ['Zoe\u0308', 'Zo\u00eb'],
    ['東京 👩\u200d👩\u200d👧 ☎\ufe0f', '東京 👩\u200d👩\u200d👧 ☎\ufe0f'],
    ['می\u200cخواهم', 'می\u200cخواهم'],
    ['', ''],
    ['   ', ''],
  ])('%j is kept as %j', (given, kept) => expect(line.parse(given)).toBe(kept));

  it.each(['Ada\u200bLovelace', 'Ada\u200d', '\u202eadA', 'Ada\u2066', 'Ada\nLovelace', 'a\u0000', 'a\u2028b', '\u3164', '\u2800', '\u00adAda', '\ud800', 'A\ufe0f', '\ue000', 'x'.repeat(21)])(
    '%j is refused: it looks like another, or like nothing', (given) => expect(line.safeParse(given).success).toBe(false));

  it('is as long as it may be as it is given, and as it is kept', () => {
    expect(line.safeParse(`${' '.repeat(10)}${'x'.repeat(20)}`).success).toBe(false);
    // Three that are composed to nothing shorter than six.
    expect(lineSchema(3).safeParse('\u0958'.repeat(3)).success).toBe(false);
  });
});

describe('the nearest line to a name of elsewhere', () => {
  it.each([
    ['Ada  Lovelace ', 'Ada Lovelace'],
    ['\u202eAda\u2066', 'Ada'],
    ['Ada\nLovelace\u2028x', 'Ada Lovelace x'],
    ['Zoe\u0308\u0000\ud800', 'Zo\u00eb \ufffd'],
    ['\u3164\u200b', ''],
    ['東京 👩\u200d👩\u200d👧 ☎\ufe0f', '東京 👩\u200d👩\u200d👧 ☎\ufe0f'],
    ['a\ufe0f\u200db', 'ab'],
    ['می\u200cخواهم', 'می\u200cخواهم'],
  ])('of %j is %j, which may be one', (given, kept) => {
    expect(nearestLine(given)).toBe(kept);
    expect(line.parse(kept)).toBe(kept);
  });
});

it('what people are called is not blank', () => {
  expect(displayNameSchema.parse('  Ada ')).toBe('Ada');
  for (const name of ['', ' ', '\u200b']) expect(displayNameSchema.safeParse(name).success).toBe(false);
});

describe('a handle', () => {
  it.each(['a', 'ada', 'a.b-c_d', '0', 'x'.repeat(32)])('may be %s', (handle) => expect(handleSchema.parse(handle)).toBe(handle));
  it.each(['', 'Ada', 'ada ', '.ada', 'ada.', 'a b', 'аda', 'x'.repeat(33), 'here', 'channel', 'me'])('may not be %j', (handle) => expect(handleSchema.safeParse(handle).success).toBe(false));
});
