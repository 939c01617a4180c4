import { describe, expect, it } from 'vitest';
import { stretches } from './code.ts';

const outline = (text: string): string[] => stretches(text).map((one) => `${one.kind}:${one.text}`);

describe('stretches', () => {
  it.each([
    ['plain', ['prose:plain']],
    ['run `npm test` now', ['prose:run ', 'inline:npm test', 'prose: now']],
    ['see:\n```ts\nconst a = `b`;\n```\ndone', ['prose:see:', 'block:const a = `b`;', 'prose:done']],
    ['```one line```', ['block:one line']],
    ['```\n  indented\n\n```', ['block:  indented\n']],
  ])('tell code from prose: %j', (text, expected) => {
    expect(outline(text)).toEqual(expected);
  });

  it.each(['a ` b', '``', '`a\nb`', '```', '```open', '``````'])('leave marks that are not closed, or hold nothing: %j', (text) => {
    expect(outline(text)).toEqual([`prose:${text}`]);
  });

  it('of nothing are none', () => expect(stretches('')).toEqual([]));

  it('G8: take a text of the greatest length in a moment, whatever it is made of', () => {
    for (const part of ['`', '```', '```a\n', '` ']) expect(stretches(part.repeat(10_000 / part.length)).length).toBeGreaterThan(0);
  });
});
