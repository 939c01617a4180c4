import { expect, it } from 'vitest';
import { clockOf, minuteOf } from './day-clock.ts';

it('every minute of the day is shown as a field for times takes it, and is read from there', () => {
  const minutes = Array.from({ length: 1_440 }, (_, minute) => minute);
  expect([clockOf(0), clockOf(390), clockOf(1_439)]).toEqual(['00:00', '06:30', '23:59']);
  expect(minutes.map((minute) => minuteOf(clockOf(minute)))).toEqual(minutes);
});

it('an empty field says no minute; seconds, which some browsers append, do not count', () => {
  expect([minuteOf(''), minuteOf('06:30:00')]).toEqual([null, 390]);
});
