import { expect, it } from 'vitest';
import { matches, parseRange } from './content.ts';

it.each<[string | null, ReturnType<typeof parseRange>]>([
  [null, null], ['', null], ['bytes=', null], ['bytes=-', null], ['bytes=a-b', null], ['bytes=0-1,2-3', null], ['bytes=5-2', null], ['items=0-1', null], ['bytes=0-99999999999999999999', null],
  ['bytes=0-0', { first: 0, last: 0 }], ['bytes=2-', { first: 2, last: 9 }], ['bytes=-4', { first: 6, last: 9 }], ['bytes=-40', { first: 0, last: 9 }], ['bytes=9-100', { first: 9, last: 9 }],
  ['bytes=10-', 'unsatisfiable'], ['bytes=10-12', 'unsatisfiable'], ['bytes=-0', 'unsatisfiable'],
])('the range %s of ten bytes', (header, range) => {
  expect(parseRange(header, 10)).toEqual(range);
});

it.each<[string | null, boolean]>([
  [null, false], ['', false], ['"a"', true], ['W/"a"', true], ['"b", "a"', true], ['*', true], ['"b"', false], ['a', false],
])('If-None-Match: %s', (header, isSame) => {
  expect(matches(header, '"a"')).toBe(isSame);
});
