import { expect, test } from 'vitest';
import { command, RedisReplies } from './redis-pubsub.ts';

test('a command is an array of strings, measured in bytes', () => {
  expect(command('PUBLISH', 'c', 'grün')).toBe('*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$5\r\ngrün\r\n');
});

test('replies are read wherever the pieces end', () => {
  const bytes = Buffer.from(`*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n${command('message', 'c', 'grün\r\n')}${command('message', 'c', '')}`);
  const expected = [['subscribe', 'c', '1'], ['message', 'c', 'grün\r\n'], ['message', 'c', '']];
  for (let cut = 0; cut <= bytes.length; cut++) {
    const taken: (readonly string[])[] = [];
    const replies = new RedisReplies((reply) => void taken.push(reply));
    replies.push(bytes.subarray(0, cut));
    replies.push(bytes.subarray(cut));
    expect(taken).toEqual(expected);
  }
});
