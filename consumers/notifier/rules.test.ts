import { describe, expect, it } from 'vitest';
import type { StoredQuietHours } from '../../db/queries/notices.ts';
import type { NoticeReason, NotificationLevel } from '../../protocol/notifications.ts';
import { isQuiet, reasonFor } from './rules.ts';

describe('the reason', () => {
  it.each<[NoticeReason[], NotificationLevel, 'muted' | '', NoticeReason | null]>([
    [['direct'], 'mentions', '', 'direct'],
    [['mention', 'direct'], 'mentions', '', 'direct'],
    [['keyword', 'mention'], 'mentions', '', 'mention'],
    [['thread_reply', 'keyword'], 'mentions', '', 'keyword'],
    [['channel_mention', 'thread_reply'], 'mentions', '', 'thread_reply'],
    [['all', 'channel_mention'], 'all', '', 'channel_mention'],
    [['all'], 'all', '', 'all'],
    [['all'], 'mentions', '', null],
    [['all', 'direct', 'mention', 'keyword', 'thread_reply', 'channel_mention'], 'none', '', null],
    [['all', 'direct', 'mention', 'keyword', 'thread_reply', 'channel_mention'], 'all', 'muted', 'mention'],
    [['all', 'direct', 'keyword', 'thread_reply', 'channel_mention'], 'all', 'muted', null],
    [['mention'], 'none', 'muted', null],
    [[], 'all', '', null],
  ])('of %j at level %s %s is %s', (reasons, level, muted, expected) => {
    expect(reasonFor({ reasons, level, is_muted: muted === 'muted' })).toBe(expected);
  });
});

const minute = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
const MON = 1;
const SAT = 32;
const DAILY = 127;
const hours = (start: string, end: string, zone: string, weekdays = DAILY): StoredQuietHours => ({
  quiet_start: minute(start), quiet_end: minute(end), quiet_zone: zone, quiet_weekdays: weekdays,
});

describe('quiet hours', () => {
  it.each<[string, StoredQuietHours, string, boolean]>([
    ['before they begin', hours('12:00', '13:00', 'UTC'), '2026-11-23T11:59:59.999Z', false],
    ['as they begin', hours('12:00', '13:00', 'UTC'), '2026-11-23T12:00:00.000Z', true],
    ['in their last moment', hours('12:00', '13:00', 'UTC'), '2026-11-23T12:59:59.999Z', true],
    ['as they end', hours('12:00', '13:00', 'UTC'), '2026-11-23T13:00:00.000Z', false],
    ['over midnight, in the evening', hours('22:00', '07:00', 'UTC'), '2026-11-23T23:00:00.000Z', true],
    ['over midnight, in the morning', hours('22:00', '07:00', 'UTC'), '2026-11-24T06:59:00.000Z', true],
    ['over midnight, at noon', hours('22:00', '07:00', 'UTC'), '2026-11-24T12:00:00.000Z', false],
    ['at midnight itself', hours('22:00', '07:00', 'UTC'), '2026-11-24T00:00:00.000Z', true],
    ['up to midnight', hours('22:00', '00:00', 'UTC'), '2026-11-24T00:00:00.000Z', false],
    ['the whole day', hours('09:00', '09:00', 'UTC'), '2026-11-24T08:59:00.000Z', true],
    ['the whole of Monday from nine, on Tuesday before nine', hours('09:00', '09:00', 'UTC', MON), '2026-11-24T08:59:00.000Z', true],
    ['the whole of Monday from nine, on Tuesday at nine', hours('09:00', '09:00', 'UTC', MON), '2026-11-24T09:00:00.000Z', false],
    ['on Monday, in the night that began on Sunday', hours('22:00', '07:00', 'UTC', MON), '2026-11-23T06:00:00.000Z', false],
    ['on Tuesday, in the night that began on Monday', hours('22:00', '07:00', 'UTC', MON), '2026-11-24T06:00:00.000Z', true],
    // 2026-11-23 is a Monday in UTC at 23:00, and Tuesday in Tokyo.
    ['by the local weekday, where it is Tuesday already', hours('07:00', '09:00', 'Asia/Tokyo', MON), '2026-11-23T23:00:00.000Z', false],
    ['by the local weekday, where it is still Saturday', hours('20:00', '23:00', 'America/Los_Angeles', SAT), '2026-11-22T05:00:00.000Z', true],
    ['in a zone with half an hour', hours('22:00', '07:00', 'Asia/Kolkata'), '2026-11-23T16:30:00.000Z', true],
    ['in a zone with half an hour, a minute before', hours('22:00', '07:00', 'Asia/Kolkata'), '2026-11-23T16:29:00.000Z', false],
    // Berlin, 2026-03-29: 01:59 CET is followed by 03:00 CEST, at 01:00 UTC.
    ['before an hour that is skipped', hours('01:30', '02:30', 'Europe/Berlin'), '2026-03-29T00:59:59.000Z', true],
    ['after an hour that is skipped, in which they would have ended', hours('01:30', '02:30', 'Europe/Berlin'), '2026-03-29T01:00:00.000Z', false],
    ['that would be in the hour that is skipped alone', hours('02:00', '03:00', 'Europe/Berlin'), '2026-03-29T01:00:00.000Z', false],
    ['in the morning of the day with 23 hours', hours('22:00', '07:00', 'Europe/Berlin'), '2026-03-29T04:59:00.000Z', true],
    ['in the morning of the day with 23 hours, at their end', hours('22:00', '07:00', 'Europe/Berlin'), '2026-03-29T05:00:00.000Z', false],
    // Berlin, 2026-10-25: 02:59 CEST is followed by 02:00 CET, at 01:00 UTC.
    ['in an hour that comes twice, the first time', hours('02:00', '03:00', 'Europe/Berlin'), '2026-10-25T00:30:00.000Z', true],
    ['in an hour that comes twice, the second time', hours('02:00', '03:00', 'Europe/Berlin'), '2026-10-25T01:30:00.000Z', true],
    ['after an hour that came twice', hours('02:00', '03:00', 'Europe/Berlin'), '2026-10-25T02:00:00.000Z', false],
    ['in the morning of the day with 25 hours', hours('22:00', '07:00', 'Europe/Berlin'), '2026-10-25T05:59:00.000Z', true],
    ['in the morning of the day with 25 hours, at their end', hours('22:00', '07:00', 'Europe/Berlin'), '2026-10-25T06:00:00.000Z', false],
    ['in a zone that is not known any more', hours('00:00', '00:00', 'Europe/Atlantis'), '2026-11-23T12:00:00.000Z', false],
  ])('%s', (_, quiet, at, expected) => {
    expect(isQuiet(quiet, Date.parse(at))).toBe(expected);
  });

  it('are none where there are none', () => {
    expect(isQuiet({ quiet_start: null, quiet_end: null, quiet_zone: null, quiet_weekdays: null }, Date.now())).toBe(false);
  });
});
