import { signal } from '@preact/signals';

const EVERY_MS = 15_000;

/** Epoch milliseconds, four times a minute: for what ends by itself while nobody touches the page. */
export const now = signal(Date.now());

export function watchClock(): void {
  setInterval(() => (now.value = Date.now()), EVERY_MS);
}
