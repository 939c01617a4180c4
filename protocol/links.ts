/** What looks like an address in a text, at `[start, end)` in UTF-16 code units. Whether it is one is for a parser of URLs to say. */
export interface Link {
  readonly start: number;
  readonly end: number;
  readonly address: string;
}

const LINK = /\bhttps?:\/\/[^\s<>"'`]+/giu;
/** Ends a sentence rather than an address; so does a closing bracket that was not opened in it. */
const TRAILING = /[.,:;!?…]/u;
const OPENING: Readonly<Record<string, string>> = { ')': '(', ']': '[' };

/** The addresses in a text, http and https only, from left to right. */
export function findLinks(text: string): Link[] {
  return [...text.matchAll(LINK)].map(({ 0: found, index }) => {
    const address = found.slice(0, endOf(found));
    return { start: index, end: index + address.length, address };
  });
}

/** Takes time in proportion to the address, whatever it ends in. */
function endOf(address: string): number {
  const counts = new Map<string, number>();
  for (const character of address) counts.set(character, (counts.get(character) ?? 0) + 1);
  const count = (character: string): number => counts.get(character) ?? 0;
  for (let end = address.length; end > 0; end -= 1) {
    const last = address.charAt(end - 1);
    const opening = OPENING[last];
    const isUnopened = opening !== undefined && count(opening) < count(last);
    if (!isUnopened && !TRAILING.test(last)) return end;
    counts.set(last, count(last) - 1);
  }
  return 0;
}
