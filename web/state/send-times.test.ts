import { describe, expect, it } from 'vitest';
import { MAX_SCHEDULE_DAYS } from '../../protocol/limits.ts';
import { fieldBounds, localFieldOf, momentOf, sendTimes } from './send-times.ts';

const local = (day: number, hour = 0, minute = 0): Date => new Date(2026, 10, day, hour, minute);
const offered = (now: Date) => sendTimes(now).map(({ label, at }) => [label, localFieldOf(at)]);

describe('when a message may be sent instead of now', () => {
  it('is soon, the next morning, or the next Monday\'s', () => {
    expect(offered(local(26, 13, 15))).toEqual([['In 20 minutes', '2026-11-26T13:35'], ['Tomorrow morning', '2026-11-27T09:00'], ['Monday morning', '2026-11-30T09:00']]);
  });

  it('of a Monday is the one after, and of a Sunday no day twice', () => {
    expect(offered(local(30, 8))[2]).toEqual(['Monday morning', '2026-12-07T09:00']);
    expect(offered(local(29, 23, 50))).toEqual([['In 20 minutes', '2026-11-30T00:10'], ['Tomorrow morning', '2026-11-30T09:00']]);
  });

  it('goes into a field for local times and comes out of it', () => {
    expect(momentOf(localFieldOf(local(3, 4, 5)))).toEqual(local(3, 4, 5));
    expect([momentOf(''), momentOf('soon')]).toEqual([null, null]);
  });

  it('is within what the server takes', () => {
    const now = new Date(2026, 10, 26, 13, 15, 59);
    const { min, max } = fieldBounds(now);
    expect((momentOf(min)?.getTime() ?? 0) - now.getTime()).toBeGreaterThan(0);
    expect((momentOf(max)?.getTime() ?? Infinity) - now.getTime()).toBeLessThanOrEqual(MAX_SCHEDULE_DAYS * 86_400_000);
  });
});
