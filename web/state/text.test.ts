import { describe, expect, it } from 'vitest';
import { hueOf, initials, segments } from './text.ts';

const links = (text: string) => segments(text).flatMap(({ href, text: shown }) => (href === null ? [] : [shown]));

describe('segments', () => {
  it.each([
    ['see https://example.org.', ['https://example.org']],
    ['(http://example.org/a_(b)) and more', ['http://example.org/a_(b)']],
    ['(https://example.org)', ['https://example.org']],
    ['https://example.org/?a=1&b=2#c, then', ['https://example.org/?a=1&b=2#c']],
    ['HTTPS://EXAMPLE.ORG', ['HTTPS://EXAMPLE.ORG']],
    ['https://a.example https://b.example', ['https://a.example', 'https://b.example']],
  ])('link addresses: %s', (text, expected) => {
    expect(links(text)).toEqual(expected);
  });

  it.each(['javascript:alert(1)', 'data:text/html,x', 'ftp://example.org', 'example.org', 'https://', 'xhttps://example.org'])(
    'link nothing else: %s',
    (text) => {
      expect(links(text)).toEqual([]);
    },
  );

  it('put together are the text, marks across links included', () => {
    const text = 'look at https://example.org/path now';
    const found = segments(text, [[5, 15], [30, 100], [3, 3]]);
    expect(found.map((segment) => segment.text).join('')).toBe(text);
    expect(found.filter(({ isMarked }) => isMarked).map((segment) => segment.text)).toEqual(['at ', 'https:/', 'th', ' now']);
    expect(found.filter(({ href }) => href === 'https://example.org/path').map((segment) => segment.text).join('')).toBe('https://example.org/path');
  });

  it('name people outside of addresses', () => {
    const found = segments('@ann see https://example.org/@bob and @Cid', [[0, 2]]);
    expect(found.flatMap(({ mention, text }) => (mention === null ? [] : [`${mention} ${text}`]))).toEqual(['ann @a', 'ann nn', 'cid @Cid']);
  });

  it('of nothing are none', () => {
    expect(segments('')).toEqual([]);
  });
});

it('initials are those of the first two words', () => {
  expect(['Ada Lovelace', 'linus', 'a.b-c', '👋 hi', ''].map(initials)).toEqual(['AL', 'L', 'AB', '👋H', '']);
});

it('a hue is stable and in range', () => {
  expect(hueOf('ada', 10)).toBe(hueOf('ada', 10));
  for (const key of ['', 'ada', 'x'.repeat(1_000), '👋']) expect(hueOf(key, 10)).toBeLessThan(10);
});
