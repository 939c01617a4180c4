import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientMsgId, lineOfClientMsgId, parseIrcLine, readIrcMessages, splitLines, surveyIrcFile } from './irc-file.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('parseIrcLine', () => {
  test('takes the three fields as they are, with their spaces', () => {
    expect(parseIrcLine(bytes('2004-12-25T09:14\t|QuaD-\t  hi \u2028 all '), 7)).toEqual({
      line: 7,
      sent_at: '2004-12-25T09:14',
      author: '|QuaD-',
      text: '  hi \u2028 all ',
    });
  });

  test.each([
    ['two fields', '2004-12-25T09:14\tnick'],
    ['four fields', '2004-12-25T09:14\tnick\ta\tb'],
    ['no time', 'yesterday\tnick\thi'],
    ['no nickname', '2004-12-25T09:14\t\thi'],
    ['a blank text', '2004-12-25T09:14\tnick\t  '],
    ['NUL', '2004-12-25T09:14\tnick\ta\u0000b'],
    ['a text over the limit', `2004-12-25T09:14\tnick\t${'a'.repeat(10_001)}`],
  ])('reports a line with %s by its number', (_, raw) => {
    expect(parseIrcLine(bytes(raw), 3)).toEqual({ line: 3, reason: expect.any(String) });
  });

  test('reports bytes that are not UTF-8', () => {
    expect(parseIrcLine(Uint8Array.of(0xff, 0xfe), 1)).toEqual({ line: 1, reason: 'is not UTF-8' });
  });
});

describe('splitLines', () => {
  const split = async (...chunks: string[]): Promise<string[]> => {
    async function* source(): AsyncGenerator<Uint8Array> {
      for (const chunk of chunks) yield bytes(chunk);
    }
    const lines: string[] = [];
    for await (const line of splitLines(source())) lines.push(Buffer.from(line).toString());
    return lines;
  };

  test('joins chunks and needs no last line feed', async () => {
    expect(await split('a\nb', 'c\n', '\nd')).toEqual(['a', 'bc', '', 'd']);
  });

  test('keeps carriage returns and separators inside lines', async () => {
    expect(await split('a\rb\u2028c\n')).toEqual(['a\rb\u2028c']);
  });
});

describe('a file', () => {
  const content = '2004-12-25T09:14\ta\tone\nbroken\n2004-12-25T09:15\tb\ttwo\n2004-12-25T09:16\tc\tthree\n';
  let folder: string;
  const at = (name: string): string => join(folder, name);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colink-irc-'));
    await writeFile(at('plain.tsv'), content);
    await writeFile(at('packed.tsv.gz'), gzipSync(content));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('has one identity, packed or not, whatever part of it is taken', async () => {
    const [plain, packed, part] = await Promise.all([surveyIrcFile(at('plain.tsv')), surveyIrcFile(at('packed.tsv.gz')), surveyIrcFile(at('plain.tsv'), 2)]);
    expect(plain).toEqual(packed);
    expect(plain).toMatchObject({ lines: 4, messages: 3, faulty: 1, faults: [{ line: 2 }] });
    expect(part).toMatchObject({ identity: plain.identity, lines: 2, messages: 1 });
  });

  test('is read from a line on, up to a line', async () => {
    const lines: number[] = [];
    for await (const message of readIrcMessages(at('packed.tsv.gz'), 1, 3)) lines.push(message.line);
    expect(lines).toEqual([3]);
  });

  test('that is not there fails', async () => {
    await expect(surveyIrcFile(at('nowhere.gz'))).rejects.toThrow('ENOENT');
  });
});

test('ids of lines are told back, and only those of the same file', () => {
  expect(lineOfClientMsgId('0123456789abcdef', clientMsgId('0123456789abcdef', 42))).toBe(42);
  expect(lineOfClientMsgId('0123456789abcdef', clientMsgId('fedcba9876543210', 42))).toBeNull();
  expect(lineOfClientMsgId('0123456789abcdef', 'irc-0123456789abcdef-042')).toBeNull();
});
