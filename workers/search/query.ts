import type { TermGroup } from '../../db/queries/search.ts';

/**
 * Reads a query as `websearch_to_tsquery` does: words and "phrases", `-` before what must not occur, `or` between alternatives (which binds
 * less than the space). Alternatives without anything to look for are dropped.
 */
export function parseQuery(query: string): TermGroup[] {
  const groups: { all: string[]; none: string[] }[] = [{ all: [], none: [] }];
  for (const [, minus, phrase, word = ''] of query.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/gu)) {
    const group = groups.at(-1);
    const term = (phrase ?? word).trim();
    if (phrase === undefined && minus === '' && term.toLowerCase() === 'or') groups.push({ all: [], none: [] });
    else if (term !== '') group?.[minus === '-' ? 'none' : 'all'].push(term);
  }
  return groups.filter(({ all }) => all.length > 0);
}
