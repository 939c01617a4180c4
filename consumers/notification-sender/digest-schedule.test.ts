import { describe, expect, it } from 'vitest';
import { digestDueAt, nextHour } from './digest-schedule.ts';

const at = (text: string): number => Date.parse(text);
const after = { mode: 'after', after_minutes: 15, daily_hour: 8, time_zone: null, mailed_at: null } as const;

describe('a digest is due', () => {
  it('when the oldest has been unread for long enough, and no sooner than that after the one before', () => {
    expect(digestDueAt(after, at('2026-11-27T10:00:00Z'))).toBe(at('2026-11-27T10:15:00Z'));
    expect(digestDueAt({ ...after, mailed_at: at('2026-11-27T10:14:00Z') }, at('2026-11-27T10:01:00Z'))).toBe(at('2026-11-27T10:29:00Z'));
    expect(digestDueAt({ ...after, mailed_at: at('2026-11-20T10:00:00Z') }, at('2026-11-27T10:01:00Z'))).toBe(at('2026-11-27T10:16:00Z'));
  });

  it('once a day, at the hour of the user', () => {
    const daily = { ...after, mode: 'daily', time_zone: 'America/New_York' } as const;
    expect(digestDueAt(daily, at('2026-11-27T12:00:00Z'))).toBe(at('2026-11-27T13:00:00Z'));
    expect(digestDueAt({ ...daily, mailed_at: at('2026-11-27T13:00:07Z') }, at('2026-11-27T12:00:00Z'))).toBe(at('2026-11-28T13:00:00Z'));
  });
});

describe('the next hour', () => {
  it.each([
    ['of UTC', 8, 'UTC', '2026-11-27T08:00:00Z', '2026-11-28T08:00:00Z'],
    ['a moment before', 8, 'UTC', '2026-11-27T07:59:59.999Z', '2026-11-27T08:00:00Z'],
    ['of midnight', 0, 'Europe/Berlin', '2026-11-27T12:00:00Z', '2026-11-27T23:00:00Z'],
    ['of a zone three quarters of an hour off', 8, 'Asia/Kathmandu', '2026-11-27T00:00:00Z', '2026-11-27T02:15:00Z'],
    ['that clocks pass over: the first behind it', 2, 'Europe/Berlin', '2026-03-28T22:00:00Z', '2026-03-29T01:00:00Z'],
    ['that comes twice: the first', 2, 'Europe/Berlin', '2026-10-24T20:00:00Z', '2026-10-25T00:00:00Z'],
    ['and not its second', 2, 'Europe/Berlin', '2026-10-25T00:00:00Z', '2026-10-26T01:00:00Z'],
    ['over the end of a month', 8, 'UTC', '2026-11-30T09:00:00Z', '2026-12-01T08:00:00Z'],
    ['of a zone that nobody knows', 8, 'Mars/Olympus', '2026-11-27T00:00:00Z', '2026-11-27T08:00:00Z'],
  ])('%s', (_, hour, zone, since, expected) => {
    expect(new Date(nextHour(hour, zone, at(since))).toISOString()).toBe(new Date(expected).toISOString());
  });
});
