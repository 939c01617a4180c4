import { describe, expect, test } from 'vitest';
import { encodeText, SocketMessages } from './socket-frames.ts';

const frame = (opcode: number, payload: Buffer, final = true): Buffer => {
  const { length } = payload;
  const head = length < 126 ? [length] : length <= 0xffff ? [126, length >> 8, length & 0xff] : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from([(final ? 0x80 : 0) | opcode, ...head]), payload]);
};
const texts = ['', 'grüße', 'x'.repeat(125), 'y'.repeat(126), 'z'.repeat(70_000)];

describe('messages of a server', () => {
  const bytes = Buffer.concat(texts.map((text) => frame(1, Buffer.from(text))));

  test('are read in every length', () => expect(new SocketMessages().push(bytes)).toEqual(texts));

  test('are read in pieces', () => {
    const messages = new SocketMessages();
    const read: string[] = [];
    for (let at = 0; at < bytes.length; at += 97) read.push(...messages.push(bytes.subarray(at, at + 97)));
    expect(read).toEqual(texts);
  });

  test('are joined from fragments, across a ping', () => {
    const parts = [frame(1, Buffer.from('one '), false), frame(9, Buffer.alloc(0)), frame(0, Buffer.from('two'))];
    expect(new SocketMessages().push(Buffer.concat(parts))).toEqual(['one two']);
  });

  test('end with its close code', () => {
    expect(() => new SocketMessages().push(frame(8, Buffer.from([0x0f, 0xa1])))).toThrow('4001');
  });
});

describe('a frame of a client', () => {
  test.each(['', 'hi', 'ü'.repeat(300)])('carries its text masked', (text) => {
    const bytes = encodeText(text);
    const long = Buffer.byteLength(text) > 125;
    expect(bytes.readUInt8(0)).toBe(0x81);
    expect(bytes.readUInt8(1) & 0x80).toBe(0x80);
    expect(bytes.subarray(long ? 8 : 6).toString()).toBe(text);
  });

  test('has a limit', () => expect(() => encodeText('x'.repeat(70_000))).toThrow('64 KiB'));
});
