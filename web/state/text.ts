import { findLinks } from '../../protocol/links.ts';
import { findMentions } from './mentions.ts';

export interface Segment {
  readonly text: string;
  readonly href: string | null;
  /** The handle that it names, be there someone of that handle or not. Null within an address. */
  readonly mention: string | null;
  readonly isMarked: boolean;
}

/**
 * A text in pieces: addresses (http and https only) as links, `@handle`s, `[start, end)` ranges marked. The pieces put together are the text.
 */
export function segments(text: string, marks: readonly (readonly [number, number])[] = []): Segment[] {
  const links = findLinks(text).filter(({ address }) => URL.canParse(address));
  const mentions = findMentions(text).filter(({ start }) => !links.some((link) => link.start <= start && start < link.end));
  const cuts = new Set([0, text.length, ...[...links, ...mentions].flatMap(({ start, end }) => [start, end]), ...marks.flat()]);
  const edges = [...cuts].filter((at) => at >= 0 && at <= text.length).toSorted((a, b) => a - b);
  return edges.slice(0, -1).map((start, i) => {
    const covers = (one: { start: number; end: number }) => one.start <= start && start < one.end;
    const link = links.find(covers);
    const isMarked = marks.some(([from, to]) => from <= start && start < to);
    return { text: text.slice(start, edges[i + 1]), href: link === undefined ? null : new URL(link.address).href, mention: mentions.find(covers)?.handle ?? null, isMarked };
  });
}

/** Up to two initials of a name. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => word !== '');
  return words
    .slice(0, 2)
    .map((word) => [...word][0]?.toUpperCase() ?? '')
    .join('');
}

/** A stable number below `count` for a string, for colours. */
export function hueOf(key: string, count: number): number {
  let hash = 0;
  for (const character of key) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003;
  return hash % count;
}
