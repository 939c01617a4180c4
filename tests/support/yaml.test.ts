import { describe, expect, it } from 'vitest';
import { parseYaml } from './yaml.ts';

describe('parseYaml', () => {
  it('reads mappings, sequences, flow collections, scalars, comments and documents', () => {
    const text = `# head
a: 1 # one
b:
  - x: "a: b # c"
    y: [1, 'it''s', { z: null }]
  -
    - deep
c: { d: true, e: "\\"q\\"" }
list:
- at the same indent
url: http://host:80/#part
empty:
---
second: 1.5
`;
    expect(parseYaml(text)).toEqual([
      { a: 1, b: [{ x: 'a: b # c', y: [1, "it's", { z: null }] }, ['deep']], c: { d: true, e: '"q"' }, list: ['at the same indent'], url: 'http://host:80/#part', empty: null },
      { second: 1.5 },
    ]);
  });

  it.each([
    ['a key twice', 'a: 1\na: 2'],
    ['an anchor', 'a: &x 1'],
    ['a block scalar', 'a: |\n  text'],
    ['a tab', 'a:\n\tb: 1'],
    ['a step in', 'a: 1\n  b: 2'],
    ['an open collection', 'a: [1, 2'],
    ['a mapping in a value', 'a: b: c'],
  ])('refuses %s, with the number of its line', (_, text) => {
    expect(() => parseYaml(text)).toThrow(/^line \d+: /);
  });
});
