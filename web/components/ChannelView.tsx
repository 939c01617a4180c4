import type { ChannelStore } from '../state/channel-store.ts';
import { closeDirect } from '../state/directs.ts';
import { isMenuOpen } from '../state/navigation.ts';
import { openSearch } from '../state/search.ts';
import { closePanel, isShown, openPanel } from '../state/side-panel.ts';
import { ChannelSign } from './ChannelSign.tsx';
import { Composer } from './Composer.tsx';
import { ConnectionBanner } from './ConnectionBanner.tsx';
import { IconButton } from './IconButton.tsx';
import { MembersButton } from './MembersButton.tsx';
import { MuteButton } from './MuteButton.tsx';
import { MessageList } from './MessageList.tsx';
import { TypingLine } from './TypingLine.tsx';

export function ChannelView({ store }: { store: ChannelStore }) {
  const { name, topic, archived_at } = store.info.value;
  const { people } = store;
  const title = store.title.value;
  return (
    <main class="channel" aria-label={title}>
      <header class="bar">
        <IconButton icon="menu" label="Channels" class="menu-button" onClick={() => (isMenuOpen.value = true)} />
        <div class="bar-title">
          <h1>
            <ChannelSign store={store} />
            <bdi class="ellipsis">{people === null ? name : title}</bdi>
          </h1>
          {topic !== '' && (
            <p class="topic" title={topic}>
              {topic}
            </p>
          )}
        </div>
        <MuteButton store={store} />
        <IconButton icon="pin" label="Pinned messages" expanded={isShown('pins')} onClick={() => (isShown('pins') ? closePanel() : openPanel('pins'))} />
        {(people === null || people.length > 1) && <MembersButton store={store} />}
        <IconButton icon="search" label="Search (Ctrl K)" expanded={isShown('search')} onClick={() => (isShown('search') ? closePanel() : openSearch())} />
        {people !== null && <IconButton icon="close" label="Close conversation" onClick={() => void closeDirect(store)} />}
      </header>
      <ConnectionBanner />
      <MessageList store={store} rootId={null} />
      <TypingLine store={store} rootId={null} />
      {archived_at === null ? (
        <Composer store={store} rootId={null} placeholder={people?.length === 0 ? 'Write a note' : `Message ${title}`} />
      ) : (
        <p class="closed-note">This channel is archived.</p>
      )}
    </main>
  );
}
