import { signal } from '@preact/signals';

const EVERY_MS = 15_000;

/** Epoch milliseconds, four times a minute: for what ends by itself while nobody touches the page. */
export const now = signal(Date.now());

/** For what has come with a time of its own, which is held against the present one. */
export const lookAtClock = (): void => void (now.value = Date.now());

export function watchClock(): void {
  setInterval(lookAtClock, EVERY_MS);
}
