import { MAX_SCHEDULE_DAYS } from '../../protocol/limits.ts';

const MINUTE_MS = 60_000;
const SOON_MINUTES = 20;
const MORNING_HOUR = 9;
const MONDAY = 1;

export interface SendTime {
  readonly label: string;
  readonly at: Date;
}

/** When a message that is written at `now` may be wanted instead, as local days go; each moment once, the next one first. */
export function sendTimes(now: Date): SendTime[] {
  const morning = (days: number): Date => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, MORNING_HOUR);
  const toMonday = (MONDAY - now.getDay() + 7) % 7 || 7;
  return [
    { label: `In ${SOON_MINUTES} minutes`, at: new Date(now.getTime() + SOON_MINUTES * MINUTE_MS) },
    { label: 'Tomorrow morning', at: morning(1) },
    ...(toMonday === 1 ? [] : [{ label: 'Monday morning', at: morning(toMonday) }]),
  ];
}

/** A moment as a field for local date and time has it: `YYYY-MM-DDTHH:MM`. */
export function localFieldOf(at: Date): string {
  const digits = (n: number, count = 2): string => String(n).padStart(count, '0');
  return `${digits(at.getFullYear(), 4)}-${digits(at.getMonth() + 1)}-${digits(at.getDate())}T${digits(at.getHours())}:${digits(at.getMinutes())}`;
}

/** The moment that such a field says; null: it says none. */
export function momentOf(field: string): Date | null {
  const at = new Date(field);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** The first and the last moment that can be chosen at `now`, as the field has them. */
export function fieldBounds(now: Date): { min: string; max: string } {
  return { min: localFieldOf(new Date(now.getTime() + MINUTE_MS)), max: localFieldOf(new Date(now.getTime() + MAX_SCHEDULE_DAYS * 86_400_000)) };
}
