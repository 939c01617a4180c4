import { describe, expect, test } from 'vitest';
import { createProgress, createRate, formatBar, formatDuration, formatStep } from './progress.ts';

test('a step in words', () => {
  expect(formatStep({ label: 'posting', done: 98_000, total: 196_123, rate: 4_100.4 })).toBe('posting 49% 98,000/196,123 4,100/s, 0:24 left');
  expect(formatStep({ label: 'posting', done: 0, total: 0, rate: 0 })).toBe('posting 100% 0/0');
});

test('a bar never exceeds the terminal', () => {
  const step = { label: 'posting', done: 1, total: 2, rate: 0 };
  expect(formatBar(step, 80)).toBe(`posting [${'#'.repeat(14)}${'-'.repeat(14)}] 50% 1/2`);
  expect(formatBar(step, 20)).toHaveLength(19);
});

test.each([
  [0, '0:00'],
  [59.2, '1:00'],
  [3_725, '1:02:05'],
])('%d s are %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test('the rate forgets what is older than its window', () => {
  const rate = createRate(1_000);
  expect(rate(0, 0)).toBe(0);
  expect(rate(500, 500)).toBe(1_000);
  expect(rate(1_000, 500)).toBe(500);
  expect(rate(2_000, 500)).toBe(0);
});

describe('progress', () => {
  const run = (isTTY: boolean) => {
    const written: string[] = [];
    let at = 0;
    const progress = createProgress({ isTTY, columns: 60, write: (text) => written.push(text) }, () => at);
    return { progress, written, pass: (milliseconds: number) => void (at += milliseconds) };
  };

  test('is plain lines, seldom, where there is no terminal', () => {
    const { progress, written, pass } = run(false);
    for (let done = 0; done <= 100; done++, pass(100)) progress.update('posting', done, 100);
    progress.end();
    expect(written).toEqual(['posting 0% 0/100\n', 'posting 50% 50/100 10/s, 0:05 left\n', 'posting 100% 100/100 10/s\n']);
  });

  test('redraws one line on a terminal and makes way for notes', () => {
    const { progress, written, pass } = run(true);
    progress.update('posting', 0, 10);
    pass(200);
    progress.update('posting', 10, 10);
    progress.note('waiting');
    progress.end();
    expect(written.map((text) => text.startsWith('\r\u001b[2K'))).toEqual([true, true, true, false]);
    expect(written.at(-1)).toBe('\n');
  });
});
