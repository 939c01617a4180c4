import { describe, expect, it } from 'vitest';
import { highlight } from './highlight.ts';

const marked = (text: string, ...terms: string[]): string[] => highlight(text, terms).map(([start, end]) => text.slice(start, end));

describe('highlights', () => {
  it('mark whole words whatever their case', () => {
    expect(highlight('The cat and the CAT, concatenated', ['cat'])).toEqual([[4, 7], [16, 19]]);
  });

  it('mark inside words only what stands nowhere as a word', () => {
    expect(marked('concatenated', 'cat')).toEqual(['cat']);
  });

  it('mark a phrase across punctuation, but not with other words between', () => {
    expect(marked('a quick, fox; a quick brown fox', 'quick fox')).toEqual(['quick, fox']);
  });

  it('mark scripts without spaces', () => {
    expect(highlight('我住在東京都', ['東京'])).toEqual([[3, 5]]);
  });

  it('count UTF-16 units: astral characters before and within are two each', () => {
    expect(highlight('👋👋 hi 𝒳', ['hi', '𝒳'])).toEqual([[5, 7], [8, 10]]);
    expect(marked('so 👋 it is', '👋')).toEqual(['👋']);
  });

  it('find letters that grow or change by folding, and mark them as they stand', () => {
    expect(marked('İstanbul, ΟΔΟΣ', 'istanbul')).toEqual([]);
    expect(highlight('İ x', ['x'])).toEqual([[2, 3]]);
    expect(marked('ΟΔΟΣ', 'οδοσ')).toEqual(['ΟΔΟΣ']);
  });

  it('join what overlaps and keep the order of the text', () => {
    expect(highlight('abcabc', ['cab', 'bca'])).toEqual([[1, 5]]);
    expect(marked('b a', 'a', 'b')).toEqual(['b', 'a']);
  });

  it('take no term for a pattern', () => {
    expect(marked('a.c abc (x', '(x', 'a.c')).toEqual(['a.c', 'x']);
    expect(highlight('anything', [''])).toEqual([]);
  });

  it('are bounded (G8)', () => {
    expect(highlight('x '.repeat(10_000), ['x'])).toHaveLength(100);
  });
});
