import type { InboxEvent } from '../../protocol/inbox-events.ts';
import type { ChannelStore } from './channel-store.ts';
import { api } from './platform.ts';

/** Reads what was written on other devices: the newest hundred drafts. Failing to is no matter: what is written here is not touched. */
export async function readDrafts(stores: readonly ChannelStore[]): Promise<void> {
  const { data } = await api.drafts({ limit: 100 }).catch(() => ({ data: [] }));
  for (const draft of data) stores.find(({ id }) => id === draft.channel_id)?.draftOf(draft.thread_id).learn(draft);
}

/** To be called with what the inbox tells. */
export function draftsTold(stores: readonly ChannelStore[], events: readonly InboxEvent[]): void {
  for (const event of events) {
    if (event.type !== 'draft.changed') continue;
    stores.find(({ id }) => id === event.channel_id)?.draftOf(event.thread_id).hear(event.version, event.deleted);
  }
}

export async function flushDrafts(stores: readonly ChannelStore[]): Promise<void> {
  await Promise.all(stores.flatMap((store) => store.drafts()).map((draft) => draft.flush()));
}
