import { describe, expect, it } from 'vitest';
import { hashOf, linkedPages, siteOf } from './links.ts';

const RULES = { loopback: false, ownHost: 'chat.example.org' };
const pages = (text: string, rules = RULES) => linkedPages(text, rules);

describe('the pages that a message links to', () => {
  it('are the first three, each once, in the form of the URL Standard and without fragments', () => {
    expect(pages('HTTPS://News.Example.com:443/a/../b#top, https://news.example.com/b#end and http://b.example.net. https://c.example.net https://d.example.net')).toEqual([
      'https://news.example.com/b', 'http://b.example.net/', 'https://c.example.net/',
    ]);
  });

  it.each([
    ['code', 'see `https://a.example.com/` there'],
    ['a block of code', '```\ncurl https://a.example.com/\n```'],
    ['angle brackets', 'quiet <https://a.example.com/> please'],
    ['credentials', 'https://user:pass@a.example.com/ https://user@a.example.com/'],
    ['another port', 'https://a.example.com:8443/ http://a.example.com:443/'],
    ['an address', 'http://93.184.216.34/ http://[2606:4700::1111]/ http://2130706433/ http://0x7f.1/'],
    ['half a name', 'http://localhost/ http://intranet/ http://metadata./'],
    ['Colink itself', 'https://chat.example.org/channels/x/messages/y'],
    ['another scheme', 'ftp://a.example.com/ javascript:alert(1) file:///etc/passwd'],
    ['what is no URL', 'https://a.example.com:99999/ https://%zz/'],
    ['what is too long', `https://a.example.com/${'x'.repeat(2_048)}`],
  ])('are none in %s', (_, text) => {
    expect(pages(text)).toEqual([]);
  });

  it('outside of code and brackets are found beside what is within', () => {
    expect(pages('`https://a.example.com/` https://b.example.com/ <https://c.example.com/> https://a.example.com/')).toEqual(['https://b.example.com/', 'https://a.example.com/']);
  });

  it('under development are those of loopback, too', () => {
    expect(pages('http://127.0.0.1:8080/x http://localhost/', { loopback: true, ownHost: '127.0.0.1:1' })).toEqual(['http://127.0.0.1:8080/x', 'http://localhost/']);
    expect(pages('http://127.0.0.1:1/x', { loopback: true, ownHost: '127.0.0.1:1' })).toEqual([]);
  });
});

it.each([
  ['https://a.b.example.com/', 'example.com'], ['https://example.com/', 'example.com'], ['https://www.example.co.uk/', 'example.co.uk'], ['https://x.y.example.com.au./', 'example.com.au'],
  ['http://127.0.0.1:8/', '127.0.0.1'], ['http://[2606:4700::1111]/', '[2606:4700::1111]'],
])('the site of %s is %s', (url, site) => {
  expect(siteOf(new URL(url))).toBe(site);
});

it('a page is known by SHA-256', () => {
  // As `printf https://example.com/ | sha256sum` says.
  expect(hashOf('https://example.com/')).toBe('0f115db062b7c0dd030b16878c99dea5c354b49dc37b38eb8846179c7783e9d7');
});
