import { expect, it } from 'vitest';
import { cpuMs } from '../tests/support/cpu-time.ts';
import { findLinks } from './links.ts';

it.each([
  ['see https://a.example/x, then http://b.example.', ['https://a.example/x', 'http://b.example']],
  ['(https://a.example/q_(x)) [http://b.example/]', ['https://a.example/q_(x)', 'http://b.example/']],
  ['no ftp://a.example nor a.example nor javascript:alert(1)', []],
])('addresses of %s', (text, addresses) => {
  const found = findLinks(text);
  expect(found.map(({ address }) => address)).toEqual(addresses);
  for (const { start, end, address } of found) expect(text.slice(start, end)).toBe(address);
});

it.each([')', '.', '.)', ')(', '[', 'x.'])('takes time in proportion to the text, however often %j comes at an end of it', (tail) => {
  const text = `https://a.example/${tail.repeat(200_000)}`;
  expect(cpuMs(() => expect(findLinks(text)).toHaveLength(1))).toBeLessThan(1_000);
});
