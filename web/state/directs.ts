import { computed, effect, untracked } from '@preact/signals';
import type { UserPresence } from '../../protocol/presence.ts';
import { dropChannel, openStore, refresh, stores } from './account.ts';
import type { ChannelStore } from './channel-store.ts';
import { markRead, unreadChannels } from './inbox.ts';
import { openChannel } from './navigation.ts';
import { attempt } from './notices.ts';
import { api } from './platform.ts';

/** So many of the newest direct channels are kept live, which tells who of them is present: a socket each. */
const MAX_LIVE = 5;

export const channels = computed(() => stores.value.filter(({ people }) => people === null));
export const directs = computed(() => stores.value.filter(({ people }) => people !== null));

/** What a user is seen as, as far as any channel that is live tells it; undefined where none does. */
export function seenAs(userId: string): UserPresence['state'] | undefined {
  const telling = [openStore.value, ...directs.value].filter((store) => store?.connection.value.name === 'open' && (store === openStore.value || store.people?.includes(userId)));
  return telling.map((store) => store?.presence.value.users?.get(userId)?.state).find((state) => state !== undefined);
}

/** Keeps the newest direct channels live, and has the list read again where something is unread in a channel that is not listed: a message opens a direct channel. */
export function watchDirects(): void {
  effect(() => {
    const kept = new Set(directs.value.filter(({ people }) => people?.length !== 0).slice(0, MAX_LIVE));
    untracked(() => {
      for (const store of directs.peek()) store.keepLive(kept.has(store), store === openStore.peek());
    });
  });
  const asked = new Map<string, number>();
  effect(() => {
    const missing = unreadChannels.value.filter(({ channel_id: id, last_pos }) => asked.get(id) !== last_pos && !stores.peek().some((store) => store.id === id));
    for (const { channel_id: id, last_pos } of missing) asked.set(id, last_pos);
    if (missing.length > 0) untracked(() => void refresh());
  });
}

/** Shows the conversation with these people, made or opened again. Rejects with a `ProblemError` where one of them may not be written to. */
export async function startDirect(userIds: readonly string[]): Promise<void> {
  const { id } = await api.openDirectChannel(userIds);
  await refresh();
  openChannel(id);
}

/** Takes it from the list until there is a message. */
export async function closeDirect(store: ChannelStore): Promise<void> {
  const { lastPos, readGeneration } = store.state.peek();
  // The session is told of what was read within a second, and ends before that.
  const read = store.isReading.peek() ? () => markRead(store.id, lastPos, readGeneration) : async () => {};
  if (await attempt('close the conversation', () => read().then(() => api.closeDirectChannel(store.id)))) dropChannel(store.id);
}
