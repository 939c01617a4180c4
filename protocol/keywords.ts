/**
 * How keywords are found in messages: both become lists of words, and a keyword is found where its words follow one another. Comparing whole words by
 * equality costs the same for every keyword and every text, whoever wrote them: nothing backtracks (G8). This file imports limits alone.
 */
import { MAX_KEYWORD_WORDS, MAX_MATCHED_WORDS } from './limits.ts';

/**
 * A word: letters, digits and marks of any script, with the `+` or `#` that ends it (`c++`, `c#`); one character of a script that puts no space
 * between words; or one pictograph.
 */
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]\p{M}*|[[\p{L}\p{N}\p{M}_]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]]+(?:[+#]+(?![\p{L}\p{N}+#]))?|\p{Extended_Pictographic}/gv;

/** Without case and width: `Straße` is `STRASSE`, and every sigma is one. */
const folded = (text: string): string => text.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ');

/** The first `limit` words of a text, as they are compared. */
export function wordsOf(text: string, limit: number): string[] {
  const words: string[] = [];
  for (const [word] of folded(text).matchAll(WORD)) {
    words.push(word);
    if (words.length >= limit) break;
  }
  return words;
}

/** A keyword as it is compared; null: it has no word, or more than `MAX_KEYWORD_WORDS`. */
export function phraseOf(keyword: string): string | null {
  const words = wordsOf(keyword, MAX_KEYWORD_WORDS + 1);
  return words.length === 0 || words.length > MAX_KEYWORD_WORDS ? null : words.join(' ');
}

/** Every phrase that a keyword may be found by in this text: of its first `MAX_MATCHED_WORDS` words, so at most 8,000. */
export function phrasesIn(text: string): Set<string> {
  const words = wordsOf(text, MAX_MATCHED_WORDS);
  const phrases = new Set<string>();
  for (let start = 0; start < words.length; start++) {
    let phrase = '';
    for (const word of words.slice(start, start + MAX_KEYWORD_WORDS)) {
      phrase = phrase === '' ? word : `${phrase} ${word}`;
      phrases.add(phrase);
    }
  }
  return phrases;
}
