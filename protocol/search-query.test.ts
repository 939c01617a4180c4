import { describe, expect, it } from 'vitest';
import { seededRandom } from '../client/testing/random.ts';
import { seedOfRun } from '../tests/support/seed.ts';
import { isSearchable, MAX_TERMS, parseQuery, printQuery, type SearchQuery, timeSpan } from './search-query.ts';

const seed = seedOfRun();
const codes = (text: string) => parseQuery(text).hints.map(({ code, range }) => [code, text.slice(...range)]);

describe('terms', () => {
  it.each([
    ['two words', [{ all: ['two', 'words'], none: [] }]],
    ['"a phrase" -not -"not this"', [{ all: ['a phrase'], none: ['not', 'not this'] }]],
    ['a b OR c', [{ all: ['a', 'b'], none: [] }, { all: ['c'], none: [] }]],
    ['or "or"', [{ all: ['or'], none: [] }]],
    ['"open', [{ all: ['open'], none: [] }]],
    ['-only', [{ all: [], none: ['only'] }]],
    ['-only or -that', []],
    ['a or -b', [{ all: ['a'], none: [] }]],
    ['" "', []],
    ['東京 👋', [{ all: ['東京', '👋'], none: [] }]],
    ['foo-bar 10:30 http://x.test/?a=b', [{ all: ['foo-bar', '10:30', 'http://x.test/?a=b'], none: [] }]],
    ['"from:ada"', [{ all: ['from:ada'], none: [] }]],
  ])('reads %s', (text, any) => {
    expect(parseQuery(text)).toMatchObject({ any, from: [], in: [], with: [], hints: [] });
  });

  it('finds nothing to look for in exclusions alone', () => {
    const isAny = (text: string) => isSearchable(parseQuery(text));
    expect(['x', 'from:a', 'is:edited', 'on:2026-11-26', '-x from:a', 'with:a', 'in:@a', 'is:dm'].filter(isAny)).toHaveLength(8);
    expect(['', '-x', '-from:a', '-with:a', '-is:dm', 'in:@', '""', 'or', 'has:nothing', 'from:""'].filter(isAny)).toEqual([]);
  });
});

describe('operators', () => {
  it('are read wherever they stand, in any case, with quotes, and negated', () => {
    expect(parseQuery('FROM:@ada word in:#general -from:"Bob B" HAS:Link -is:thread has:reaction from:me')).toEqual({
      any: [{ all: ['word'], none: [] }],
      from: [{ value: 'ada', not: false }, { value: 'Bob B', not: true }, { value: 'me', not: false }],
      in: [{ value: 'general', not: false }],
      with: [],
      has: [{ value: 'link', not: false }, { value: 'reaction', not: false }],
      is: [{ value: 'thread', not: true }],
      dates: [],
      hints: [],
    });
  });

  it('tell the direct channel with somebody from a channel of that name', () => {
    expect(parseQuery('in:@Ada -in:@@me in:#ada in:"@ Bob B" IS:dm with:@ada -with:me')).toMatchObject({
      in: [{ value: '@Ada', not: false }, { value: '@me', not: true }, { value: 'ada', not: false }, { value: '@Bob B', not: false }],
      with: [{ value: 'ada', not: false }, { value: 'me', not: true }],
      is: [{ value: 'dm', not: false }],
      hints: [],
    });
    expect(parseQuery('in:#@ada in:@#me with:"@ @ada" from:#ada')).toMatchObject({
      in: [{ value: '@ada', not: false }, { value: '@me', not: false }],
      with: [{ value: 'ada', not: false }],
      from: [{ value: '#ada', not: false }],
    });
    expect(codes('in:@ in:#@ with:@ with:')).toEqual([['bad_value', 'in:@'], ['bad_value', 'in:#@'], ['bad_value', 'with:@'], ['no_value', 'with:']]);
  });

  it('that are not understood become hints, never errors', () => {
    expect(codes('has:nothing before:soon on:2026-02-30 -after:2026 after:0000')).toEqual(
      ['has:nothing', 'before:soon', 'on:2026-02-30', '-after:2026', 'after:0000'].map((text) => ['bad_value', text]),
    );
    expect(codes('form:ada from: in:"" x')).toEqual([['unknown_operator', 'form:ada'], ['no_value', 'from:'], ['no_value', 'in:""']]);
    expect(codes('10:30 http://x.test a::b')).toEqual([['unknown_operator', 'a::b']]);
  });

  it('and words beyond the bound do not count (G8)', () => {
    const query = parseQuery('x '.repeat(200));
    expect([query.any[0]?.all.length, query.hints.map(({ code }) => code)]).toEqual([MAX_TERMS, ['too_many_terms']]);
  });
});

describe('dates', () => {
  const span = (text: string) => Object.values(timeSpan(parseQuery(text).dates)).map((at) => (at === null ? null : new Date(at).toISOString().replace('T00:00:00.000Z', '')));

  it.each([
    ['before:2026-11-26', [null, '2026-11-26']],
    ['after:2026-11-26', ['2026-11-27', null]],
    ['on:2026-02-28', ['2026-02-28', '2026-03-01']],
    ['on:2026-12', ['2026-12-01', '2027-01-01']],
    ['after:2025 before:2027', ['2026-01-01', '2027-01-01']],
    ['on:2026-11-26t03:00:00+02:00', ['2026-11-26T01:00:00.000Z', '2026-11-26T01:00:00.001Z']],
    ['after:2026-11-26T03:00', ['2026-11-26T03:00:00.001Z', null]],
    ['after:2026-11-20 on:2026-11-10', ['2026-11-21', '2026-11-11']],
    ['nothing', [null, null]],
    ['on:9999-12-31', ['9999-12-31', '9999-12-31T23:59:59.999Z']],
    ['after:9999', ['9999-12-31T23:59:59.999Z', null]],
    ['before:9999-12-31T23:59-05:00', [null, '9999-12-31T23:59:59.999Z']],
    ['after:0001-01-01T00:00+14:00', ['0001-01-01', null]],
  ])('%s', (text, expected) => {
    expect(span(text)).toEqual(expected);
  });
});

describe(`any string (seed ${seed})`, () => {
  const random = seededRandom(seed);
  const PARTS = ['from:', 'in:', 'with:', 'BEFORE:', 'after:', 'on:', 'has:', 'is:', 'nope:', '"', '-', ' ', ' ', 'or', 'a', 'me', '@', '#', '2026', '-11', '-26', 'T03:00Z', 'link', 'thread', 'dm', '東京', '👋', '\u{feff}', '\\', '%', ':', '\ud800', '\n'];
  const text = () => Array.from({ length: 1 + Math.floor(random() * 14) }, () => PARTS[Math.floor(random() * PARTS.length)]).join('');
  const known = (query: SearchQuery) => ({ ...query, hints: [] });

  it('reads the same once it is printed, and then leaves no hints of operators with bad values', () => {
    for (let times = 0; times < 20_000; times += 1) {
      const query = parseQuery(text());
      const again = parseQuery(printQuery(query));
      expect(known(again)).toEqual(known(query));
      expect(again.hints.filter(({ code }) => code === 'bad_value')).toEqual([]);
    }
  });

  it('has hints that point into it', () => {
    for (let times = 0; times < 5_000; times += 1) {
      const written = text();
      for (const { range: [start, end] } of parseQuery(written).hints) expect(0 <= start && start < end && end <= written.length).toBe(true);
    }
  });
});
