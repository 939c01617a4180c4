import type { DigestState } from '../../db/queries/email-sending.ts';

const MINUTE_MS = 60_000;
/** Zones differ from UTC by quarters of an hour. */
const STEP_MS = 15 * MINUTE_MS;
/** A day and a bit: a clock that is put back makes one of 25 hours. */
const MOST_STEPS = 4 * 26;

/**
 * When a digest is to be sent of notices of which the oldest is of `oldestAt`: not before something has been unread for as long as its user has chosen, nor twice in that time; or at the
 * next hour of the day that they have chosen. All in epoch milliseconds.
 */
export function digestDueAt({ mode, after_minutes, daily_hour, time_zone, mailed_at }: Pick<DigestState, 'mode' | 'after_minutes' | 'daily_hour' | 'time_zone' | 'mailed_at'>, oldestAt: number): number {
  const since = Math.max(oldestAt, mailed_at ?? 0);
  return mode === 'daily' ? nextHour(daily_hour, time_zone ?? 'UTC', since) : since + after_minutes * MINUTE_MS;
}

/**
 * The first moment after `since` at which it is `hour` o'clock in a zone; where clocks pass that hour over, the first one behind it. A zone that is not known, as after an update of the
 * zones, is UTC: a digest at the wrong hour is better than none.
 */
export function nextHour(hour: number, zone: string, since: number): number {
  const format = formatOf(zone);
  let before = localOf(format, Math.floor(since / STEP_MS) * STEP_MS);
  for (let step = 1; step <= MOST_STEPS; step += 1) {
    const at = Math.floor(since / STEP_MS) * STEP_MS + step * STEP_MS;
    const local = localOf(format, at);
    if (local.minute >= hour * 60 && (local.day !== before.day || before.minute < hour * 60)) return at;
    before = local;
  }
  return since + MOST_STEPS * STEP_MS;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const wished = { day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  try {
    return new Intl.DateTimeFormat('en-GB', { ...wished, timeZone });
  } catch {
    return new Intl.DateTimeFormat('en-GB', { ...wished, timeZone: 'UTC' });
  }
}

function localOf(format: Intl.DateTimeFormat, at: number): { readonly day: number; readonly minute: number } {
  const parts = format.formatToParts(at);
  const part = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.find((one) => one.type === type)?.value ?? 0);
  return { day: part('day'), minute: part('hour') * 60 + part('minute') };
}
