import { HIDING_CHARACTERS } from '../../protocol/previews.ts';

/** A page's words as a line of at most `max` UTF-16 code units that controls, hides and turns nothing; null: nothing is left. */
export function lineOf(words: string | null, max: number): string | null {
  if (words === null) return null;
  const line = words.slice(0, MOST).toWellFormed().replaceAll(/\s+/gu, ' ').replaceAll(HIDING_CHARACTERS, '').replaceAll(/ {2,}/g, ' ').trim();
  if (line === '') return null;
  return line.length <= max ? line : `${line.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '').trimEnd()}…`;
}

/** What is beyond that is not even looked at. UTF-16 code units. */
const MOST = 10_000;
