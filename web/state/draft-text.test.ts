import { describe, expect, it } from 'vitest';
import { mergeDrafts } from './draft-text.ts';

describe('a draft of two devices', () => {
  it.each([
    ['nothing was written here', 'a', 'ab', 'a', 'ab'],
    ['nothing was written there', 'ab', 'a', 'a', 'ab'],
    ['it was sent there, and nothing was written here', 'a', '', 'a', ''],
    ['it was sent there, and written on here', 'ab', '', 'a', 'ab'],
    ['it was sent here, and written on there', '', 'ab', 'a', 'ab'],
    ['one has what the other wrote', 'a, b and c', 'a, b', 'a', 'a, b and c'],
    ['the other has what one wrote', 'a, b', 'a, b and c', 'a', 'a, b and c'],
    ['both wrote', 'ab', 'ac', 'a', 'ac\nab'],
    ['both began', 'b', 'c', '', 'c\nb'],
  ])('%s', (_, mine, theirs, base, expected) => {
    expect(mergeDrafts(mine, theirs, base)).toBe(expected);
  });
});
