import { computed, effect, signal, untracked } from '@preact/signals';
import { openStore, totalUnread } from './account.ts';
import type { ChannelStore } from './channel-store.ts';
import { navigate, place } from './location.ts';
import { api } from './platform.ts';
import { closePanel, sidePanel } from './side-panel.ts';

/** The list of channels, where it does not stand beside the messages (phones). */
export const isMenuOpen = signal(false);
export type Dialog = 'browse' | 'create' | 'people' | 'settings' | 'status';
export const dialog = signal<Dialog | null>(null);
const openThreadId = computed(() => place.value.threadId);
const linkedMessageId = computed(() => place.value.messageId ?? null);

/** Keeps what is read in step with what is open, and the title with both. */
export function watchNavigation(): void {
  effect(() => {
    const store = openStore.value;
    untracked(() => void store?.open());
    return () => store?.leave();
  });
  effect(() => {
    const store = openStore.value;
    const rootId = openThreadId.value;
    if (!store || rootId === null) return;
    untracked(() => void store.openThread(rootId));
    return () => store.session.closeThread(rootId);
  });
  effect(() => {
    const store = openStore.value;
    const messageId = linkedMessageId.value;
    if (store && messageId !== null) untracked(() => void follow(store, messageId));
  });
  // Where the list of channels lies over everything, it would lie over what was opened from it.
  effect(() => {
    if (sidePanel.value !== null) isMenuOpen.value = false;
  });
  effect(() => {
    const unread = totalUnread.value > 0 ? `(${totalUnread.value}) ` : '';
    const name = openStore.value ? `${openStore.value.title.value} · ` : '';
    document.title = `${unread}${name}Colink`;
  });
}

/** Shows the message of a link: a reply in its thread. One that is not there, or not for this user, leaves the channel as it is. */
async function follow(store: ChannelStore, messageId: string): Promise<void> {
  const found = await api.place(messageId).catch(() => null);
  if (found === null || found.channel_id !== store.id || place.peek().messageId !== messageId) return;
  if (found.thread_id !== null && place.peek().threadId === null) navigate({ channelId: store.id, threadId: found.thread_id, messageId }, 'replace');
  await store.opened();
  await store.jumpTo(found.thread_id ?? messageId);
}

export function openChannel(channelId: string): void {
  isMenuOpen.value = false;
  navigate({ channelId, threadId: null });
}

export function openThread(channelId: string, threadId: string): void {
  navigate({ channelId, threadId });
}

export function closeThread(): void {
  navigate({ channelId: place.peek().channelId, threadId: null });
}

/** What Escape does: closes what was opened last over the messages. */
export function closeTop(): void {
  if (isMenuOpen.peek()) isMenuOpen.value = false;
  else if (place.peek().threadId !== null) closeThread();
  else closePanel();
}
