import { describe, expect, it } from 'vitest';
import { emojiSchema } from '../../protocol/primitives.ts';
import { EMOJIS, emojiName, findEmojis } from './emoji.ts';
import { PRESETS } from './status-draft.ts';

const found = (query: string): string[] => findEmojis(query).map(({ name }) => name);

describe('the emoji of the picker', () => {
  it('are fit for the wire, each with a name of its own', () => {
    for (const { emoji, name } of EMOJIS) expect([emojiSchema.safeParse(emoji).success, name]).toEqual([true, expect.stringMatching(/^[a-z ]+$/)]);
    expect(new Set(EMOJIS.map(({ name }) => name)).size).toBe(EMOJIS.length);
    expect(new Set(EMOJIS.map(({ emoji }) => emoji)).size).toBe(EMOJIS.length);
  });

  it('have those that statuses are suggested with', () => {
    for (const { emoji } of PRESETS) expect(emojiName(emoji)).toBeDefined();
  });

  it('are found by the beginnings of words, first by name', () => {
    expect(found('rock')).toEqual(['rocket']);
    expect(found('MEET')).toEqual(['calendar']);
    expect(found('cal')).toEqual(['calendar', 'phone', 'meditation']);
    expect(found('thumbs d')).toEqual(['thumbs down']);
    expect(found('+1')).toEqual(['thumbs up']);
    expect(found('🚀')).toEqual(['rocket']);
    expect(found('ocket')).toEqual([]);
  });

  it('are all there, in order, where nothing is asked for', () => expect(findEmojis(' ')).toEqual(EMOJIS));
});
