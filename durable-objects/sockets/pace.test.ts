import { expect, it } from 'vitest';
import { Pace } from './pace.ts';

/** The pause after five seconds of passes with so many messages a second to so many sockets; a pass starts when the pause is over. */
function settled(perSecond: number, sockets: number): number {
  const pace = new Pace();
  let pause = 0;
  for (let now = 0, owed = 0; now < 5_000; ) {
    const step = Math.max(pause, 1_000 / perSecond);
    now += step;
    owed += (step * perSecond) / 1_000;
    const events = Math.floor(owed);
    owed -= events;
    pause = pace.pauseAfter(events * sockets, now);
  }
  return pause;
}

it('does not hold back a quiet room (P14)', () => {
  expect(settled(1, 1_000)).toBe(0);
  expect(settled(20, 50)).toBe(0);
});

it('gathers more the more there is to deliver, and never for longer than 50 ms (P14)', () => {
  const pauses = [settled(10, 1_000), settled(50, 1_000), settled(100, 1_000), settled(2_000, 1_000)];
  expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses);
  expect(pauses[0]).toBeLessThanOrEqual(10);
  expect(pauses[2]).toBeGreaterThanOrEqual(30);
  expect(pauses[3]).toBe(50);
});

it('calms down when the room does', () => {
  const pace = new Pace();
  for (let now = 0; now < 2_000; now += 100) pace.pauseAfter(100_000, now);
  expect(pace.pauseAfter(1_000, 2_000)).toBe(50);
  expect(pace.pauseAfter(1_000, 12_000)).toBe(0);
});

it('takes a clock that stands still or goes back', () => {
  const pace = new Pace();
  expect(pace.pauseAfter(10_000, 1_000)).toBe(5);
  expect(pace.pauseAfter(10_000, 1_000)).toBe(10);
  expect(pace.pauseAfter(10_000, 500)).toBe(15);
});
