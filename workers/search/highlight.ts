/** A `[start, end)` range of UTF-16 code units. */
export type Range = [start: number, end: number];

/** Most ranges of one text; what is beyond is not marked. */
const MAX_RANGES = 100;
const WORD = '[\\p{L}\\p{M}\\p{N}]';

/**
 * Where the terms of a query occur in a text, whatever their case, in rising order and without overlaps. A term's words count where they stand whole
 * and in a row; only a term that stands nowhere so is looked for inside words, as scripts without spaces need it.
 */
export function highlight(text: string, terms: readonly string[]): Range[] {
  const folded = fold(text);
  const ranges = terms.flatMap((term) => occurrences(folded.text, fold(term).text));
  return merge(ranges.map(([start, end]) => [folded.origin(start), folded.origin(end)])).slice(0, MAX_RANGES);
}

interface Folded {
  readonly text: string;
  /** The place in the original of a place in the folded text. */
  readonly origin: (index: number) => number;
}

/** Lower case by code point, so that no letter's form depends on its neighbours. Some letters grow by it, hence the way back. */
function fold(text: string): Folded {
  const origins: number[] = [];
  let folded = '';
  let at = 0;
  for (const character of text) {
    const lower = character.toLowerCase();
    const whole = lower.length === character.length;
    for (let unit = 0; unit < lower.length; unit++) origins.push(whole ? at + unit : at);
    folded += lower;
    at += character.length;
  }
  return { text: folded, origin: (index) => origins[index] ?? text.length };
}

function occurrences(text: string, term: string): Range[] {
  const words = term.match(new RegExp(`${WORD}+`, 'gu')) ?? [];
  const whole = words.length === 0 ? [] : matches(text, new RegExp(`(?<!${WORD})${words.join('[^\\p{L}\\p{M}\\p{N}]+')}(?!${WORD})`, 'gu'));
  return whole.length > 0 ? whole : inside(text, term.trim());
}

const matches = (text: string, pattern: RegExp): Range[] => Array.from(text.matchAll(pattern), ({ index, 0: found }) => [index, index + found.length]);

function inside(text: string, term: string): Range[] {
  const ranges: Range[] = [];
  if (term === '') return ranges;
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + term.length)) ranges.push([at, at + term.length]);
  return ranges;
}

function merge(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const [start, end] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}
