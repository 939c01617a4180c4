import type { ChannelStore } from '../state/channel-store.ts';
import { dropChannel } from '../state/account.ts';
import { confirmation } from '../state/confirmation.ts';
import { isMenuOpen } from '../state/navigation.ts';
import { attempt } from '../state/notices.ts';
import { api } from '../state/platform.ts';
import { status } from '../state/connectivity.ts';
import { isSearchOpen, openSearch } from '../state/search.ts';
import { Composer } from './Composer.tsx';
import { ConnectionStatus } from './ConnectionStatus.tsx';
import { Icon } from './Icon.tsx';
import { IconButton } from './IconButton.tsx';
import { MessageList } from './MessageList.tsx';
import { TypingLine } from './TypingLine.tsx';

export function ChannelView({ store }: { store: ChannelStore }) {
  const { name, topic, kind, archived_at } = store.info.value;
  return (
    <main class="channel" aria-label={`#${name}`}>
      <header class="bar">
        <IconButton icon="menu" label="Channels" class="menu-button" onClick={() => (isMenuOpen.value = true)} />
        <div class="bar-title">
          <h1>
            <span class="channel-sign" aria-hidden="true">
              {kind === 'private' ? <Icon name="lock" /> : '#'}
            </span>
            <span class="ellipsis">{name}</span>
          </h1>
          {topic !== '' && (
            <p class="topic" title={topic}>
              {topic}
            </p>
          )}
        </div>
        {store.presence.value.present > 0 && <span class="present">{store.presence.value.present} here</span>}
        {status.value.kind !== 'live' && (
          <div class="bar-status">
            <ConnectionStatus />
          </div>
        )}
        <IconButton icon="leave" label="Leave channel" onClick={() => askToLeave(store)} />
        <IconButton icon="search" label="Search (Ctrl K)" expanded={isSearchOpen.value} onClick={() => (isSearchOpen.value ? (isSearchOpen.value = false) : openSearch())} />
      </header>
      <MessageList store={store} rootId={null} />
      <TypingLine store={store} rootId={null} />
      {archived_at === null ? (
        <Composer store={store} rootId={null} placeholder={`Message #${name}`} />
      ) : (
        <p class="closed-note">This channel is archived.</p>
      )}
    </main>
  );
}

function askToLeave(store: ChannelStore): void {
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
