import { expect, it } from 'vitest';
import { decoderOf } from './charset.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

it.each([
  ['nothing', 'text/html', '<title>', 'utf-8'],
  ['the header', 'text/html; charset=Shift_JIS', '<meta charset=utf-8>', 'shift_jis'],
  ['the header, quoted', 'text/html;charset="koi8-r"; x=y', '', 'koi8-r'],
  ['the page', 'text/html', '<html><head><meta charset="windows-1251">', 'windows-1251'],
  ['the page, in the old way', 'text/html', '<META http-equiv=Content-Type content="text/html; charset=euc-kr">', 'euc-kr'],
  ['a mark, above the header', 'text/html; charset=koi8-r', '\xef\xbb\xbf<title>', 'utf-8'],
  ['a mark of UTF-16', 'text/html', '\xff\xfe<\0', 'utf-16le'],
  ['a page that is not what it says', 'text/html', '<meta charset=utf-16>', 'utf-8'],
  ['a name that nobody knows', 'text/html; charset=x-unknown', '', 'utf-8'],
  ['a name from Latin 1', 'text/html; charset=iso-8859-1', '', 'windows-1252'],
])('a page is decoded by %s', (_, type, head, encoding) => {
  expect(decoderOf(type, bytes(head)).encoding).toBe(encoding);
});
