import { describe, expect, it } from 'vitest';
import { handleSchema, lineSchema } from './names.ts';

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

describe('a handle', () => {
  it.each(['a', 'ada', 'a.b-c_d', '0', 'x'.repeat(32)])('may be %s', (handle) => expect(handleSchema.parse(handle)).toBe(handle));
  it.each(['', 'Ada', 'ada ', '.ada', 'ada.', 'a b', 'аda', 'x'.repeat(33), 'here', 'channel', 'me'])('may not be %j', (handle) => expect(handleSchema.safeParse(handle).success).toBe(false));
});
