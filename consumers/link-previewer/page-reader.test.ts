import { describe, expect, it } from 'vitest';
import { cpuMs } from '../../tests/support/cpu-time.ts';
import { PageReader } from './page-reader.ts';

function read(html: string, piece = html.length) {
  const reader = new PageReader();
  for (let at = 0; at < html.length; at += Math.max(1, piece)) reader.read(html.slice(at, at + Math.max(1, piece)));
  return reader.finish();
}
const found = (title: string, description: string | null = null, site_name: string | null = null) => ({ title, description, site_name });

describe('a page says', () => {
  it.each([
    ['Open Graph before all else', '<title>T</title><meta name="twitter:title" content="X"><meta name=description content=d><meta property="og:title" content="O"><meta property="og:description" content="OD"><meta property="og:site_name" content="S">', found('O', 'OD', 'S')],
    ['cards of X before HTML', '<title>T</title><meta name="description" content="d"><meta name="twitter:title" content="X"><meta name="twitter:description" content="XD">', found('X', 'XD')],
    ['its title and description', '<html><head><title> A &amp; B\n &#x1F600; </title><META NAME="Description" CONTENT="a &lt;b&gt; c"></head><body><title>no</title>', found('A & B 😀', 'a <b> c')],
    ['the first of several', '<meta property="og:title" content="1"><meta property="og:title" content="2">', found('1')],
    ['Open Graph by name, too', '<meta name="og:title" content="1">', found('1')],
    ['what is not empty', '<title>T</title><meta property="og:title" content=" &#8203;&#1; ">', found('T')],
    ['a title that is not closed', '<head><title>open', found('open')],
    ['a title behind pictures of trackers', '<head><noscript><img src="https://t.example/x"></noscript><meta property="og:title" content="O">', found('O')],
    ['its title in its body, where its head has none', '<head></head><body><title>late</title>', found('late')],
    ['what broken markup leaves', '</p><<meta property=og:title content=\'x"y\'</p></html><title', found('x"y')],
  ])('%s', (_, html, expected) => {
    for (const piece of [html.length, 1, 7]) expect(read(html, piece)).toEqual(expected);
  });

  it.each([['nothing', ''], ['no title', '<meta name="description" content="d">'], ['an empty title', '<title>  </title>'], ['no HTML', '{"title": "x"}'], ['a title in a comment', '<!-- <title>x</title> -->'], ['a title in a script', '<script>"<title>x</title>"</script>']])('nothing: %s', (_, html) => {
    expect(read(html)).toBeNull();
  });

  it('plain words: nothing that controls, hides or turns text, of the length they may have', () => {
    const hiding = '\u0000\u0007\u001b[31m\u0085\u00ad\u061c\u200b\u200e\u200f\u202e\u2066\u2069\ufeff\ufff9\u{e0041}';
    expect(read(`<title>a${hiding}b\u2028c \t d</title>`)).toEqual(found('a[31m b c d'));
    expect(read('<title>👩‍👩‍👧 e\u0301 שלום</title>')).toEqual(found('👩‍👩‍👧 e\u0301 שלום'));
    const long = read(`<title>${'😀'.repeat(400)}</title><meta name="description" content="${'d'.repeat(2_000)}"><meta property="og:site_name" content="${'s '.repeat(400)}">`);
    expect([long?.title.length, long?.title.isWellFormed(), long?.title.endsWith('😀…')]).toEqual([299, true, true]);
    expect([long?.description?.length, long?.site_name?.length]).toEqual([500, 100]);
    expect(read('<title>a\ud83d</title>')).toEqual(found('a\ufffd'));
  });

  it('and markup of its words is words', () => {
    expect(read('<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>')).toEqual(found('<script>alert(1)</script>'));
  });
});

describe('reading a page', () => {
  it('ends where its head does, once there is a title', () => {
    const reader = new PageReader();
    reader.read('<head><title>T</title>');
    expect(reader.isOver).toBe(false);
    reader.read('</head>');
    expect(reader.isOver).toBe(true);
    reader.read('<meta property="og:title" content="late">');
    expect(reader.finish()).toEqual(found('T'));
  });

  it.each([
    ['elements within elements, and ends of none of them', '<d>'.repeat(85_000) + '</e>'.repeat(64_000)],
    ['elements within elements, and paragraphs', '<b>'.repeat(85_000) + '<p>'.repeat(80_000)],
    ['attributes of one element', `<meta ${Array.from({ length: 60_000 }, (_, n) => `a${n}=1`).join(' ')}`],
    ['an attribute without end', `<meta content="${'&amp;'.repeat(100_000)}`],
    ['a title without end', `<title>${'&amp;'.repeat(100_000)}`],
    ['beginnings of elements', '<'.repeat(512 * 1024)],
    ['beginnings of comments', '<!--'.repeat(128 * 1024)],
    ['paragraphs that end each other', '<p>'.repeat(170_000)],
  ])('takes little time with 512 kB of %s', (_, html) => {
    expect(cpuMs(() => void read(html, 16_384))).toBeLessThan(1_500);
  });
});
