import { readFileSync } from 'node:fs';

/** The kernel counts in hundredths of a second (Linux, USER_HZ). */
const TICK_MS = 10;
/** Behind the name, which is in brackets and may have any characters: state, ten numbers, and then the two (proc(5), fields 14 and 15). */
const TIMES = /^.*\) \S(?: \S+){10} (\d+) (\d+)/s;

/** How long a process has used a processor, of all its threads, in milliseconds; NaN where the system does not tell. Other processes hardly change it, as they do what a clock shows. */
export function processTime(pid: number | undefined): number {
  try {
    return parseTimes(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return Number.NaN;
  }
}

export function parseTimes(stat: string): number {
  const [, user, system] = TIMES.exec(stat) ?? [];
  return (Number(user) + Number(system)) * TICK_MS;
}
