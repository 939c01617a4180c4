import { describe, expect, test } from 'vitest';
import { HttpResponses } from './http-responses.ts';

const plain = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';
const empty = 'HTTP/1.1 204 No Content\r\n\r\n';
const all = Buffer.from(plain + chunked + empty);
const expected = [
  [201, '{"ok":true}'],
  [200, 'hello world'],
  [204, ''],
];

function read(...parts: Buffer[]): [number, string][] {
  const responses = new HttpResponses();
  return parts.flatMap((part) => responses.push(part)).map(({ status, body }) => [status, body.toString()]);
}

describe('responses of one connection', () => {
  test('are read from one piece', () => expect(read(all)).toEqual(expected));

  test('are read wherever the pieces end', () => {
    for (let cut = 1; cut < all.length; cut++) expect(read(all.subarray(0, cut), all.subarray(cut))).toEqual(expected);
  });

  test('are read byte by byte', () => {
    expect(read(...Array.from(all, (byte) => Buffer.of(byte)))).toEqual(expected);
  });

  test('that are none are refused', () => {
    expect(() => read(Buffer.from('SSH-2.0-x\r\n\r\n'))).toThrow('not a response');
    expect(() => read(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow('without a length');
  });
});
