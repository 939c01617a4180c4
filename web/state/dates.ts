import { computed, signal } from '@preact/signals';
import type { TimeFormat } from '../../protocol/settings.ts';

/** How the user wants times of the day to be written. */
export const timeFormat = signal<TimeFormat>('auto');
const cycle = computed((): Intl.DateTimeFormatOptions => ({ auto: {}, '12h': { hourCycle: 'h12' }, '24h': { hourCycle: 'h23' } } as const)[timeFormat.value]);
const time = computed(() => new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', ...cycle.value }));
const full = computed(() => new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short', ...cycle.value }));
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const dayOfYear = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const dayAhead = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const weekdays = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

/** Where the device is: what its local times mean. */
export const ZONE = short.resolvedOptions().timeZone;

export const timeOf = (at: number): string => time.value.format(at);
export const fullTime = (at: number): string => full.value.format(at);
export const shortDay = (at: number): string => short.format(at);

/** When something is due, as people would say it: a day further away than tomorrow by its date. */
export const momentAhead = (at: number, now = Date.now()): string => `${Math.abs(daysFrom(now, at)) <= 1 ? dayLabel(at, now) : dayAhead.format(at)}, ${timeOf(at)}`;

/** 1 is Monday. The first of January 2024 was one. */
export const weekdayName = (weekday: number): string => weekdays.format(new Date(2024, 0, weekday));

/** "Yesterday", "Today", "Tomorrow", or the day, with its year where that is another. */
export function dayLabel(at: number, now = Date.now()): string {
  const days = daysFrom(now, at);
  if (Math.abs(days) <= 1) return capitalised(relative.format(days, 'day'));
  return new Date(at).getFullYear() === new Date(now).getFullYear() ? day.format(at) : dayOfYear.format(at);
}

const daysFrom = (now: number, at: number): number => Math.round((midnight(at) - midnight(now)) / 86_400_000);
const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);
const capitalised = (text: string): string => text.charAt(0).toLocaleUpperCase() + text.slice(1);
