import { expect, test } from 'vitest';
import { readIrcSample } from './irc.ts';

test('the sample holds 2,000 messages, from plain to awkward', async () => {
  const messages = await readIrcSample();
  expect(messages).toHaveLength(2_000);
  expect(messages.some(({ text }) => /[^\x20-\x7e]/.test(text))).toBe(true);
  expect(messages.some(({ text }) => text !== text.trim() || text.includes('http://'))).toBe(true);
  expect(new Set(messages.map(({ author }) => author)).size).toBeGreaterThan(200);
});

test('a part of it is its beginning', async () => {
  expect((await readIrcSample(10)).map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});
