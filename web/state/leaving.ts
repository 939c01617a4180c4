import { dropChannel } from './account.ts';
import type { ChannelStore } from './channel-store.ts';
import { confirmation } from './confirmation.ts';
import { attempt } from './notices.ts';
import { api } from './platform.ts';

export function askToLeave(store: ChannelStore): void {
  const { name, kind } = store.info.peek();
  confirmation.value = {
    title: `Leave #${name}?`,
    text: kind === 'private' ? 'This channel is private: someone has to add you again.' : 'You can join again at any time.',
    action: 'Leave',
    confirmed: () => void leave(store, name),
  };
}

async function leave(store: ChannelStore, name: string): Promise<void> {
  if (await attempt(`leave #${name}`, () => api.leave(store.id))) dropChannel(store.id);
}
