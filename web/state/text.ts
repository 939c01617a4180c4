import { findMentions } from './mentions.ts';

export interface Segment {
  readonly text: string;
  readonly href: string | null;
  /** The handle that it names, be there someone of that handle or not. Null within an address. */
  readonly mention: string | null;
  readonly isMarked: boolean;
}

const LINK = /\bhttps?:\/\/[^\s<>"'`]+/giu;
/** Ends a sentence rather than an address; so does a closing bracket that was not opened in it. */
const TRAILING = /[.,:;!?…]+$/u;
const BRACKETS = [['(', ')'], ['[', ']']] as const;

/**
 * A text in pieces: addresses (http and https only) as links, `@handle`s, `[start, end)` ranges marked. The pieces put together are the text.
 */
export function segments(text: string, marks: readonly (readonly [number, number])[] = []): Segment[] {
  const links = findLinks(text);
  const mentions = findMentions(text).filter(({ start }) => !links.some((link) => link.start <= start && start < link.end));
  const cuts = new Set([0, text.length, ...[...links, ...mentions].flatMap(({ start, end }) => [start, end]), ...marks.flat()]);
  const edges = [...cuts].filter((at) => at >= 0 && at <= text.length).toSorted((a, b) => a - b);
  return edges.slice(0, -1).map((start, i) => {
    const covers = (one: { start: number; end: number }) => one.start <= start && start < one.end;
    const isMarked = marks.some(([from, to]) => from <= start && start < to);
    return { text: text.slice(start, edges[i + 1]), href: links.find(covers)?.href ?? null, mention: mentions.find(covers)?.handle ?? null, isMarked };
  });
}

function findLinks(text: string): { start: number; end: number; href: string }[] {
  return [...text.matchAll(LINK)].flatMap(({ 0: found, index }) => {
    const address = trimmed(found);
    return URL.canParse(address) ? [{ start: index, end: index + address.length, href: new URL(address).href }] : [];
  });
}

function trimmed(address: string): string {
  const end = address.replace(TRAILING, '');
  const isUnopened = BRACKETS.some(([open, close]) => end.endsWith(close) && count(end, open) < count(end, close));
  return isUnopened ? trimmed(end.slice(0, -1)) : end;
}

const count = (text: string, part: string): number => text.split(part).length - 1;

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
