import { describe, expect, it } from 'vitest';
import { findMentions, mentions } from './mentions.ts';

const handles = (text: string): string[] => findMentions(text).map(({ handle }) => handle);

describe('mentions', () => {
  it.each([
    ['@alice', ['alice']],
    ['Thanks @alice, @Bob.', ['alice', 'bob']],
    ['(@a.b-c_d) @x', ['a.b-c_d', 'x']],
    ['line\n@alice', ['alice']],
    ['@alice@bob', ['alice']],
  ])('are found: %s', (text, expected) => {
    expect(handles(text)).toEqual(expected);
  });

  it.each(['alice@example.org', '@', '@ alice', '@@alice', 'a.@alice', '@-', `@${'x'.repeat(65)}`])('are not: %s', (text) => {
    expect(handles(text)).toEqual([]);
  });

  it('stand where they say', () => {
    const text = 'hi @alice!';
    expect(findMentions(text).map(({ start, end }) => text.slice(start, end))).toEqual(['@alice']);
  });

  it('are of one handle, not of its beginning', () => {
    expect([mentions('hi @ALICE', 'alice'), mentions('hi @alicex', 'alice')]).toEqual([true, false]);
  });
});
