import { signal } from '@preact/signals';

const MAX_LENGTH = 200;
const MAX_ANNOUNCEMENTS = 5;

/** What a screen reader is told of, newest last. */
export const announcements = signal<readonly { readonly id: number; readonly text: string }[]>([]);
let lastId = 0;

export function announce(text: string): void {
  lastId += 1;
  announcements.value = [...announcements.value, { id: lastId, text: text.slice(0, MAX_LENGTH) }].slice(-MAX_ANNOUNCEMENTS);
}

/** What was said where the user has no access any more is not left for a screen reader to find. */
export const forgetAnnouncements = (): void => void (announcements.value = []);
