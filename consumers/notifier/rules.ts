import type { NoticeCandidate, StoredQuietHours } from '../../db/queries/notices.ts';
import type { NoticeReason } from '../../protocol/notifications.ts';

/** Of several reasons the first is told. */
const ORDER: readonly NoticeReason[] = ['direct', 'mention', 'keyword', 'thread_reply', 'channel_mention', 'all'];

/**
 * Why a candidate is notified, or null: they are not. Whoever wants nothing of a channel hears nothing of it; a muted one lets through only what names its
 * user; every message counts only for whoever wants them all.
 */
export function reasonFor({ reasons, level, is_muted }: Pick<NoticeCandidate, 'reasons' | 'level' | 'is_muted'>): NoticeReason | null {
  if (level === 'none') return null;
  if (is_muted) return reasons.includes('mention') ? 'mention' : null;
  return ORDER.find((reason) => reasons.includes(reason) && (reason !== 'all' || level === 'all')) ?? null;
}

const MINUTES_A_DAY = 1_440;

/**
 * Whether a moment (epoch milliseconds) is in somebody's quiet hours. Each moment has one local time, so a clock that is put forward or back needs no rule of
 * its own: an hour that is skipped is never quiet, one that comes twice is so twice. The night that began yesterday goes by yesterday's weekday. A zone that is
 * not known, as after an update of the zones, is quiet at no time: a notice too many is better than a channel that stands still.
 */
export function isQuiet({ quiet_start: start, quiet_end: end, quiet_zone: zone, quiet_weekdays: weekdays }: StoredQuietHours, at: number): boolean {
  if (start === null || end === null || zone === null || weekdays === null) return false;
  const local = localTime(zone, at);
  if (local === null) return false;
  const begins = (daysAgo: number): boolean => (weekdays & (1 << ((local.weekday + 7 - daysAgo) % 7))) !== 0;
  const length = (end - start + MINUTES_A_DAY) % MINUTES_A_DAY || MINUTES_A_DAY;
  const isIn = (daysAgo: number): boolean => {
    const since = local.minute + daysAgo * MINUTES_A_DAY - start;
    return since >= 0 && since < length && begins(daysAgo);
  };
  return isIn(0) || isIn(1);
}

/** Formats are costly to make, and zones are a few hundred. */
const formats = new Map<string, Intl.DateTimeFormat | null>();
const MOST_FORMATS = 1_000;

function formatOf(timeZone: string): Intl.DateTimeFormat | null {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  if (formats.size >= MOST_FORMATS) formats.clear();
  const made = makeFormat(timeZone);
  formats.set(timeZone, made);
  return made;
}

function makeFormat(timeZone: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  } catch {
    return null;
  }
}

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** `weekday` from 0, Monday, on. */
function localTime(zone: string, at: number): { readonly weekday: number; readonly minute: number } | null {
  const parts = formatOf(zone)?.formatToParts(at);
  if (parts === undefined) return null;
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((one) => one.type === type)?.value ?? '';
  return { weekday: WEEKDAYS.indexOf(part('weekday')), minute: Number(part('hour')) * 60 + Number(part('minute')) };
}
