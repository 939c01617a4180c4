const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const dayOfYear = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const weekdays = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

export const timeOf = (at: number): string => time.format(at);
export const fullTime = (at: number): string => full.format(at);
export const shortDay = (at: number): string => short.format(at);

/** 1 is Monday. The first of January 2024 was one. */
export const weekdayName = (weekday: number): string => weekdays.format(new Date(2024, 0, weekday));

/** "Today", "Yesterday", or the day, with its year where that is another. */
export function dayLabel(at: number, now = Date.now()): string {
  const days = Math.round((midnight(at) - midnight(now)) / 86_400_000);
  if (days === 0 || days === -1) return capitalised(relative.format(days, 'day'));
  return new Date(at).getFullYear() === new Date(now).getFullYear() ? day.format(at) : dayOfYear.format(at);
}

const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);
const capitalised = (text: string): string => text.charAt(0).toLocaleUpperCase() + text.slice(1);
