import { detect, isPresent } from '../../dev/components.ts';

/** Why no process can be given another clock here, or null. */
export function whyNoSkewedClock(): string | null {
  const { faketime } = detect();
  return isPresent(faketime) ? null : faketime.missing;
}

/** The environment of a process whose clock is so many milliseconds ahead of this machine's; negative: behind. What it measures stays true. */
export function skewedClock(milliseconds: number): Record<string, string> {
  const { faketime } = detect();
  if (!isPresent(faketime)) throw new Error(faketime.missing);
  return { LD_PRELOAD: faketime.path, FAKETIME: `${milliseconds < 0 ? '' : '+'}${(milliseconds / 1_000).toFixed(3)}`, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}
