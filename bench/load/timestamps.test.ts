import { expect, test } from 'vitest';
import { readStamps, stamped } from './timestamps.ts';

test('the times of the messages of a frame are read back, in order', () => {
  const texts = [stamped('hello "you"', 1_764_152_345_678.125), 'no stamp @', stamped('@ü', 1_764_152_345_679)];
  const frame = Buffer.from(JSON.stringify({ type: 'events', events: texts.map((text) => ({ text })) }));
  expect(readStamps(frame)).toEqual([1_764_152_345_678.13, 1_764_152_345_679]);
});
