/**
 * The grammar of message search, for whoever reads or shows a query: words and "phrases"; `-` before what must not occur; `or` between alternatives,
 * which binds less than the space; and operators, which hold for the whole query:
 *
 *   from:handle  in:channel  in:@handle  with:handle  before:2026-11-26  after:2026-11  on:2026-11-26  has:link|file|reaction  is:thread|edited|dm
 *
 * `from:` and `in:` given several times are alternatives, `with:`, `has:` and `is:` hold all together, and `-` excludes. `from:me` is the caller. `in:@handle` is the direct
 * channel of the caller and that person alone, `with:` is any direct channel that they are in, too, and `is:dm` any at all. Days are of UTC; `before:` and `after:` leave out the day, month or year they name. Any string is a query: what makes no sense becomes a hint.
 * This file imports limits alone, so that clients may bundle it.
 */
import { FIRST_MOMENT_MS, LAST_MOMENT_MS } from './limits.ts';

/** A conjunction: a text that has all of `all` and none of `none`. */
export interface TermGroup {
  readonly all: readonly string[];
  readonly none: readonly string[];
}

/** A value of an operator; `not`: with `-` before it. */
export interface Filter<V extends string = string> {
  readonly value: V;
  readonly not: boolean;
}

export interface DateFilter {
  readonly operator: 'before' | 'after' | 'on';
  /** As it was written: a year, month, day, or a moment of RFC 3339. */
  readonly value: string;
}

/** Something in a query that was not understood; `range`: its `[start, end)` in UTF-16 code units. */
export interface QueryHint {
  readonly code: 'unknown_operator' | 'no_value' | 'bad_value' | 'too_many_terms';
  readonly detail: string;
  readonly range: [number, number];
}

const HAS = ['link', 'file', 'reaction'] as const;
const IS = ['thread', 'edited', 'dm'] as const;
type Has = (typeof HAS)[number];
type Is = (typeof IS)[number];

export interface SearchQuery {
  /** Alternatives. One without `all` is there only where it is the only one. */
  readonly any: readonly TermGroup[];
  /** Handles or user ids, or `me`, without the `@`. */
  readonly from: readonly Filter[];
  /** Names or ids of channels, without the `#`; with one `@` before it a handle, a user id or `me`: the direct channel with them. */
  readonly in: readonly Filter[];
  /** Handles or user ids, or `me`, without the `@`. */
  readonly with: readonly Filter[];
  readonly has: readonly Filter<Has>[];
  readonly is: readonly Filter<Is>[];
  readonly dates: readonly DateFilter[];
  readonly hints: readonly QueryHint[];
}

/** Most words, phrases and operators that count; what comes after them does not. */
export const MAX_TERMS = 32;
const TOKEN = /(-?)(?:(from|in|with|before|after|on|has|is):(?:"([^"]*)"?|([^\s"]+))|"([^"]*)"?|([^\s"]+))/giu;
const OPERATOR_LIKE = /^([\p{L}_]+):(?!\/\/)/u;

interface Building {
  any: { all: string[]; none: string[] }[];
  from: Filter[];
  in: Filter[];
  with: Filter[];
  has: Filter<Has>[];
  is: Filter<Is>[];
  dates: DateFilter[];
  hints: QueryHint[];
}

interface Token {
  readonly not: boolean;
  readonly operator: string | undefined;
  readonly value: string;
  readonly isPhrase: boolean;
  readonly range: [number, number];
}

export function parseQuery(text: string): SearchQuery {
  const query: Building = { any: [{ all: [], none: [] }], from: [], in: [], with: [], has: [], is: [], dates: [], hints: [] };
  let terms = 0;
  for (const match of text.matchAll(TOKEN)) {
    const token = tokenOf(match);
    if (isOr(token)) query.any.push({ all: [], none: [] });
    else if (token.operator === undefined && token.value === '') continue;
    else if (++terms > MAX_TERMS) {
      query.hints.push({ code: 'too_many_terms', detail: `only the first ${MAX_TERMS} words and operators count`, range: [token.range[0], text.length] });
      break;
    } else if (token.operator === undefined) addTerm(query, token);
    else addFilter(query, token.operator, token);
  }
  return { ...query, any: meaningful(query.any) };
}

function tokenOf(match: RegExpExecArray): Token {
  const [whole, minus, operator, quoted, plain, phrase, word] = match;
  const value = (operator === undefined ? (phrase ?? word) : (quoted ?? plain)) ?? '';
  return { not: minus === '-', operator: operator?.toLowerCase(), value: value.trim(), isPhrase: phrase !== undefined, range: [match.index, match.index + whole.length] };
}

const isOr = ({ operator, isPhrase, not, value }: Token): boolean => operator === undefined && !isPhrase && !not && value.toLowerCase() === 'or';

function meaningful(any: readonly TermGroup[]): TermGroup[] {
  const positive = any.filter(({ all }) => all.length > 0);
  const [first] = any;
  return positive.length === 0 && any.length === 1 && first !== undefined && first.none.length > 0 ? [first] : positive;
}

function addTerm(query: Building, { not, value, isPhrase, range }: Token): void {
  query.any.at(-1)?.[not ? 'none' : 'all'].push(value);
  const name = isPhrase ? undefined : OPERATOR_LIKE.exec(value)?.[1];
  if (name === undefined) return;
  if (isOperator(name)) query.hints.push({ code: 'no_value', detail: `${name}: has nothing after it and is looked for as a word`, range });
  else query.hints.push({ code: 'unknown_operator', detail: `there is no ${name}: so this is looked for as it stands`, range });
}

const isOperator = (name: string): boolean => /^(from|in|with|before|after|on|has|is)$/iu.test(name);

function addFilter(query: Building, operator: string, { not, value, range }: Token): void {
  const refuse = (detail: string): void => void query.hints.push({ code: value === '' ? 'no_value' : 'bad_value', detail, range });
  switch (operator) {
    case 'from':
    case 'with':
    case 'in': {
      const [marks = ''] = (operator === 'in' ? /^[#@\s]*/u : /^[@\s]*/u).exec(value) ?? [];
      const name = value.slice(marks.length);
      if (name === '') refuse(`${operator}: has nothing after it`);
      else query[operator].push({ value: operator === 'in' && marks.includes('@') ? `@${name}` : name, not });
      break;
    }
    case 'has':
      if (!addKnown(query.has, HAS, value, not)) refuse(`has: is one of ${HAS.join(', ')}`);
      break;
    case 'is':
      if (!addKnown(query.is, IS, value, not)) refuse(`is: is one of ${IS.join(', ')}`);
      break;
    case 'before':
    case 'after':
    case 'on':
      if (not || spanOf(value) === null) refuse(`${operator}: takes a day such as 2026-11-26, a month, a year, or a time such as 2026-11-26T03:00:00Z, and no minus`);
      else query.dates.push({ operator, value: value.toUpperCase() });
  }
}

function addKnown<V extends string>(filters: Filter<V>[], known: readonly V[], value: string, not: boolean): boolean {
  const found = known.find((one) => one === value.toLowerCase());
  if (found !== undefined) filters.push({ value: found, not });
  return found !== undefined;
}

/** Whether there is something to look for: a query of exclusions alone has nothing. */
export function isSearchable({ any, from, in: places, with: people, has, is, dates }: SearchQuery): boolean {
  return any.some(({ all }) => all.length > 0) || [...from, ...places, ...people, ...has, ...is].some(({ not }) => !not) || dates.length > 0;
}

/** The moments a query is about, in epoch milliseconds: from `since` on, up to but without `until`; null: without end. Where they cross, nothing is found. */
export function timeSpan(dates: readonly DateFilter[]): { since: number | null; until: number | null } {
  let [since, until] = [-Infinity, Infinity];
  for (const { operator, value } of dates) {
    const span = spanOf(value);
    if (span === null) continue;
    if (operator !== 'before') since = Math.max(since, operator === 'on' ? span.start : span.end);
    if (operator !== 'after') until = Math.min(until, operator === 'on' ? span.end : span.start);
  }
  return { since: Number.isFinite(since) ? withinYears(since) : null, until: Number.isFinite(until) ? withinYears(until) : null };
}

const withinYears = (ms: number): number => Math.min(Math.max(ms, FIRST_MOMENT_MS), LAST_MOMENT_MS);

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?)?)?$/iu;

/** What a date covers: a year, a month, a day; a moment, its millisecond. Null: no date, or none of the calendar. */
function spanOf(value: string): { start: number; end: number } | null {
  const [, year, month, day, time, zone = 'Z'] = DATE.exec(value) ?? [];
  if (year === undefined || year === '0000') return null;
  const start = Date.parse(`${year}-${month ?? '01'}-${day ?? '01'}T${time ?? '00:00'}${zone.toUpperCase()}`);
  if (Number.isNaN(start) || (day !== undefined && !isOfCalendar(year, month ?? '', day))) return null;
  if (time !== undefined) return { start, end: start + 1 };
  const [y, m, d] = [year, month ?? '01', day ?? '01'].map(Number);
  const end = day !== undefined ? [y, m, Number(d) + 1] : month !== undefined ? [y, Number(m) + 1, 1] : [Number(y) + 1, 1, 1];
  return { start, end: utc(end) };
}

/** Some engines take February 30 for March 2. */
const isOfCalendar = (year: string, month: string, day: string): boolean => new Date(utc([year, month, day].map(Number))).toISOString().startsWith(`${year}-${month}-${day}T`);

function utc([year = 0, month = 1, day = 1]: readonly (number | undefined)[]): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime();
}

/** A query as text again: it reads the same, save for what was not understood. */
export function printQuery({ any, from, in: places, with: people, has, is, dates }: SearchQuery): string {
  const filters = Object.entries({ from, in: places, with: people, has, is }).flatMap(([operator, list]) =>
    list.map(({ value, not }) => `${not ? '-' : ''}${operator}:${/\s/u.test(value) ? `"${value}"` : value}`),
  );
  const parts = [printTerms(any), ...filters, ...dates.map(({ operator, value }) => `${operator}:${value}`)];
  return parts.filter((part) => part !== '').join(' ');
}

/** The words of a query alone, in the grammar of `websearch_to_tsquery`, too. */
export const printTerms = (any: readonly TermGroup[]): string =>
  any.map(({ all, none }) => [...all.map(printTerm), ...none.map((term) => `-${printTerm(term)}`)].join(' ')).join(' or ');

function printTerm(term: string): string {
  const isPlain = !/\s|^-|^or$|^(?:from|in|with|before|after|on|has|is):/iu.test(term);
  return isPlain ? term : `"${term}"`;
}
