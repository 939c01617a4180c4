import { describe, expect, it } from 'vitest';
import { decodeCounter, decodeCursor, decodeTimed, encodeCursor, linkHeader } from './paging.ts';

describe('cursors', () => {
  it.each(['', 'general', 'größer 東京 👋', '10'])('come back as they went: %s', (position) => {
    const cursor = encodeCursor('channels', position);
    expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(decodeCursor('channels', cursor)).toBe(position);
  });

  it.each([
    ['of another list', encodeCursor('members', 'x')],
    ['with a second position', encodeCursor('channels', 'a\nb')],
    ['with what Postgres takes in no text', encodeCursor('channels', 'a\u0000')],
    ['no base64', '%%%'],
    ['no UTF-8', '_w'],
    ['empty', ''],
  ])('are refused where they are %s', (_, cursor) => {
    expect(() => decodeCursor('channels', cursor)).toThrow(expect.objectContaining({ problem: { code: 'bad_cursor' } }));
  });

  it.each(['-1', '1.5', '1e9', '9999999999999999', ''])('of counters are refused as %s', (position) => {
    expect(() => decodeCounter('history', encodeCursor('history', position))).toThrow(expect.objectContaining({ problem: { code: 'bad_cursor' } }));
  });

  const ID = '019ac0de-0000-7000-8000-00000000000c';
  it('of times and ids come back as they went', () => {
    const at = '2026-11-26T12:00:29.512Z';
    expect(decodeTimed('threads', encodeCursor('threads', `${at} ${ID}`))).toEqual({ at, id: ID });
  });

  it.each([`0000-01-01T00:00:00.000Z ${ID}`, `2026-02-30T00:00:00.000Z ${ID}`, `2026-11-26 ${ID}`, '2026-11-26T12:00:29.512Z x', '2026-11-26T12:00:29.512Z', `2026-11-26T12:00:29.512Z ${ID} ${ID}`])('of times and ids are refused as %s', (position) => {
    expect(() => decodeTimed('threads', encodeCursor('threads', position))).toThrow(expect.objectContaining({ problem: { code: 'bad_cursor' } }));
  });
});

describe('the Link header', () => {
  it('keeps the other parameters and exchanges the cursor', () => {
    const url = 'https://chat.example.org/v1/channels?limit=2&cursor=old';
    expect(linkHeader(url, [{ rel: 'next', parameter: 'cursor', cursor: 'new' }])).toBe('</v1/channels?limit=2&cursor=new>; rel="next"');
  });

  it('is absent where the page is alone', () => {
    expect(linkHeader('https://x.example/', [{ rel: 'prev', parameter: 'before', cursor: null }])).toBeUndefined();
  });
});
