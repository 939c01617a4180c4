import { describe, expect, it } from 'vitest';
import { restoreHeaders, storeHeaders } from './stored-headers.ts';

const bytes = (...values: number[]): Buffer => Buffer.from(values);

describe('stored headers', () => {
  it.each([
    ['text', { ce_type: Buffer.from('colink.message.created.v1') }],
    ['unicode', { name: Buffer.from('grüße 👋') }],
    ['NUL', { nul: bytes(0x61, 0, 0x62) }],
    ['no UTF-8', { raw: bytes(0xff, 0xfe, 0x00) }],
    ['NUL in a name', { 'a\0b': Buffer.from('x') }],
    ['text that looks marked', { marked: Buffer.from('base64:abc') }],
    ['repeated', { many: [Buffer.from('one'), bytes(0), Buffer.from('two')] }],
    ['empty', { none: Buffer.alloc(0) }],
  ])('keeps every byte: %s', (_, headers) => {
    const stored = JSON.stringify(storeHeaders(headers));
    expect(stored).not.toContain('\\u0000');
    expect(restoreHeaders(JSON.parse(stored))).toEqual(headers);
  });
});
