import { expect, it } from 'vitest';
import { jsonFault } from './json-fault.ts';

it.each([
  ['[\n  {"type": "message",\n   "ts": secret}\n]', 'line 3, column 10'],
  ['[{"a": 1} {"b": 2}]', 'line 1, column 11'],
  ['{"a": [1, 2,]}', 'line 1, column 13'],
  ['{"a": 1,\n}', 'line 2, column 1'],
  ['{"a" 1}', 'line 1, column 6'],
  ['["a\nb"]', 'line 1, column 2'],
  ['["\\x"]', 'line 1, column 2'],
  ['[1, {"a": [}]', 'line 1, column 12'],
  ['[1] 2', 'line 1, column 5'],
  ['[{"id": "U01"', 'line 1, column 14'],
  ['[,1]', 'line 1, column 2'],
  ['{,}', 'line 1, column 2'],
  ['', 'line 1, column 1'],
  ['[01]', 'line 1, column 3'],
])('%j ceases to be JSON at %s', (text, place) => {
  expect(() => JSON.parse(text)).toThrow(SyntaxError);
  expect(jsonFault(text)).toBe(place);
});

it('goes through what is long and deep', () => {
  expect(jsonFault(`${'['.repeat(100_000)}"${'x'.repeat(100_000)}"!`)).toBe('line 1, column 200003');
});
