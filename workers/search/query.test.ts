import { expect, it } from 'vitest';
import { parseQuery } from './query.ts';

it.each([
  ['two words', [{ all: ['two', 'words'], none: [] }]],
  ['"a phrase" -not -"not this"', [{ all: ['a phrase'], none: ['not', 'not this'] }]],
  ['a b OR c', [{ all: ['a', 'b'], none: [] }, { all: ['c'], none: [] }]],
  ['or "or"', [{ all: ['or'], none: [] }]],
  ['"open', [{ all: ['open'], none: [] }]],
  ['-only', []],
  ['" "', []],
  ['東京 👋', [{ all: ['東京', '👋'], none: [] }]],
  ['foo-bar', [{ all: ['foo-bar'], none: [] }]],
])('reads %s', (query, groups) => {
  expect(parseQuery(query)).toEqual(groups);
});
