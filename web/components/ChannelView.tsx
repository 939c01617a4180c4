import type { ChannelStore } from '../state/channel-store.ts';
import { isMenuOpen } from '../state/navigation.ts';
import { openSearch } from '../state/search.ts';
import { closePanel, isShown } from '../state/side-panel.ts';
import { Composer } from './Composer.tsx';
import { ConnectionBanner } from './ConnectionBanner.tsx';
import { Icon } from './Icon.tsx';
import { IconButton } from './IconButton.tsx';
import { MembersButton } from './MembersButton.tsx';
import { MuteButton } from './MuteButton.tsx';
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
        <MuteButton store={store} />
        <MembersButton store={store} />
        <IconButton icon="search" label="Search (Ctrl K)" expanded={isShown('search')} onClick={() => (isShown('search') ? closePanel() : openSearch())} />
      </header>
      <ConnectionBanner />
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
