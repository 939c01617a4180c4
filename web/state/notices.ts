import { signal } from '@preact/signals';
import { reasonOf } from './reason.ts';

const SHOWN_MS = 6_000;
const MAX_NOTICES = 3;

export interface Notice {
  readonly id: number;
  readonly text: string;
}

/** Short messages about what just happened, newest last. */
export const notices = signal<readonly Notice[]>([]);
let lastId = 0;

export function notify(text: string): void {
  lastId += 1;
  const id = lastId;
  notices.value = [...notices.value, { id, text }].slice(-MAX_NOTICES);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** Runs an action of the user and says so when it fails: `Could not leave: …`. Resolves to whether it succeeded. */
export async function attempt(what: string, action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    notify(`Could not ${what}: ${reasonOf(error)}`);
    return false;
  }
}
