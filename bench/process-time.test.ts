import { expect, test } from 'vitest';
import { parseTimes } from './process-time.ts';

test('the time of a process is that of its programs and of the kernel for them, whatever its name', () => {
  expect(parseTimes('77 (work) er d) S 1 77 77 0 -1 4194560 100 0 0 0 1234 66 5 6 20 0 9 0')).toBe(13_000);
  expect(parseTimes('none')).toBeNaN();
});
