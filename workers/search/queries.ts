import type { SearchQuery } from '../../protocol/search-query.ts';

/** Most words of a search for people; what comes after them does not count. */
const MAX_NAMES = 8;

/** The words of a search for people, without the `@` of a handle. */
export const namesOf = (q: string): string[] =>
  q.split(/\s+/u).map((word) => word.replace(/^@+/u, '')).filter((word) => word !== '').slice(0, MAX_NAMES);

type Hint = { code: SearchQuery['hints'][number]['code'] | 'of_messages_only'; detail: string; range: [number, number] };

/** A query about files: what only messages have counts for nothing, and is said so. Where it is, a file has, too. */
export function ofFiles(query: SearchQuery): { query: SearchQuery; hints: Hint[] } {
  const hints: Hint[] = [...query.hints];
  const is = query.is.filter(({ value }) => value === 'dm');
  if (query.has.length > 0 || is.length < query.is.length) hints.push({ code: 'of_messages_only', detail: 'has:, is:thread and is:edited are of messages, and count for nothing here', range: [0, 0] });
  return { query: { ...query, has: [], is }, hints };
}
