import { effect } from '@preact/signals';
import { openStore } from './account.ts';
import { showing } from './inbox.ts';
import { place } from './location.ts';

/** Tells the inbox what is before the reader's eyes: nobody is to be notified of that. */
export function watchViewing(): void {
  effect(() => {
    const store = openStore.value;
    const { threadId } = place.value;
    showing(store?.isReading.value ? { channelId: store.id, threadId } : null);
  });
}
