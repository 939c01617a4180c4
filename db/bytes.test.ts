import { expect, it } from 'vitest';
import { decodeText, encodeText, toBase64 } from './bytes.ts';

it('text survives as it is, a byte order mark and NUL too; other bytes are no text', () => {
  for (const text of ['', '\uFEFFa', 'a\0b', 'ü😀']) expect(decodeText(encodeText(text))).toBe(text);
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80]]) expect(decodeText(Uint8Array.from(bytes))).toBeNull();
});

it('base64 is that of Node, at any size', () => {
  for (const size of [0, 1, 8_191, 8_192, 8_193, 1_000_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, n) => (n * 7) % 256);
    expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
  }
});
