const MINUTES_AN_HOUR = 60;

/** A minute of the day as a field for times shows it: `HH:MM`. */
export function clockOf(minute: number): string {
  const twoDigits = (n: number): string => String(n).padStart(2, '0');
  return `${twoDigits(Math.floor(minute / MINUTES_AN_HOUR))}:${twoDigits(minute % MINUTES_AN_HOUR)}`;
}

/** The minute of the day of `HH:MM`, as a field for times gives it; null: it is empty. */
export function minuteOf(clock: string): number | null {
  const [, hours, minutes] = /^(\d\d):(\d\d)/.exec(clock) ?? [];
  return hours === undefined || minutes === undefined ? null : Number(hours) * MINUTES_AN_HOUR + Number(minutes);
}
