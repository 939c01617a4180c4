import { useEffect, useRef } from 'preact/hooks';
import type { PresenceState } from '../../protocol/presence.ts';
import { me, openStore, signOut } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { notice } from '../state/connectivity.ts';
import { channels, directs, seenAs } from '../state/directs.ts';
import { chosen } from '../state/inbox.ts';
import { isMuted } from '../state/mutes.ts';
import { dialog, isMenuOpen, openChannel } from '../state/navigation.ts';
import { attempt } from '../state/notices.ts';
import { pathOf } from '../state/path.ts';
import { toggleSavedPanel } from '../state/saved.ts';
import { scheduled, toggleScheduledPanel, waitingCount } from '../state/scheduled.ts';
import { isShown } from '../state/side-panel.ts';
import { Avatar } from './Avatar.tsx';
import { ConnectionStatus } from './ConnectionStatus.tsx';
import { ChannelSign } from './ChannelSign.tsx';
import { Icon } from './Icon.tsx';
import { IconButton } from './IconButton.tsx';
import { NotificationsButton } from './NotificationsButton.tsx';
import { PresenceText } from './PresenceText.tsx';
import { StatusLine } from './StatusLine.tsx';

export function Sidebar() {
  const ref = useRef<HTMLElement>(null);
  const isOpen = isMenuOpen.value;
  useEffect(() => {
    if (!isOpen) return;
    const opener = document.activeElement;
    ref.current?.querySelector<HTMLElement>('a, button')?.focus();
    // What was opened from it may have the focus already.
    return () => hasFocus(ref.current) && opener instanceof HTMLElement && opener.focus();
  }, [isOpen]);
  return (
    <>
      {isOpen && <div class="scrim" onClick={() => (isMenuOpen.value = false)} />}
      <aside ref={ref} class={`sidebar ${isOpen ? 'open' : ''}`} aria-label="Workspace">
        <div class="sidebar-head">
          <img src="/favicon.svg" alt="" width="28" height="28" />
          <strong>Colink</strong>
          <ConnectionStatus />
        </div>
        <div class="channels">
          <button type="button" class="channel-link saved-link" aria-expanded={isShown('saved')} onClick={toggleSavedPanel}>
            <Icon name="bookmark" />
            Saved for later
          </button>
          <ScheduledLink />
          <nav aria-label="Channels">
            <div class="section-head">
              <h2>Channels</h2>
              <IconButton icon="compass" label="Browse channels" onClick={() => (dialog.value = 'browse')} />
              <IconButton icon="plus" label="Create a channel" onClick={() => (dialog.value = 'create')} />
            </div>
            <ul>
              {channels.value.map((store) => (
                <ChannelLink key={store.id} store={store} />
              ))}
            </ul>
          </nav>
          <nav aria-label="Direct messages">
            <div class="section-head">
              <h2>Direct messages</h2>
              <IconButton icon="plus" label="Start a conversation" onClick={() => (dialog.value = 'people')} />
            </div>
            <ul>
              {directs.value.map((store) => (
                <ChannelLink key={store.id} store={store} />
              ))}
            </ul>
          </nav>
        </div>
        <Me />
      </aside>
    </>
  );
}

/** Nobody has it where the scrim was pressed. */
const hasFocus = (box: HTMLElement | null): boolean => box?.contains(document.activeElement) === true || document.activeElement === document.body;

function ScheduledLink() {
  const failed = scheduled.value.failed.length;
  const waiting = waitingCount.value;
  return (
    <button type="button" class="channel-link saved-link" aria-expanded={isShown('scheduled')} onClick={toggleScheduledPanel}>
      <Icon name="clock" />
      <span class="channel-name">Scheduled</span>
      {failed > 0 && (
        <span class="badge mentions" aria-label={`${failed} not sent`}>
          {failed}
        </span>
      )}
      {failed === 0 && waiting > 0 && (
        <span class="waiting-count">
          {waiting}
          <span class="visually-hidden"> waiting</span>
        </span>
      )}
    </button>
  );
}

function ChannelLink({ store }: { store: ChannelStore }) {
  const unread = store.unread.value;
  const mentioned = store.mentions.value > 0 ? `, ${store.mentions.value} of them for you` : '';
  const muted = isMuted(store.id);
  const title = store.title.value;
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openChannel(store.id);
  };
  return (
    <li>
      <a
        class={`channel-link ${unread > 0 && !muted ? 'unread' : ''} ${muted ? 'muted' : ''}`}
        href={pathOf({ channelId: store.id, threadId: null })}
        aria-current={openStore.value === store ? 'page' : undefined}
        title={title}
        onClick={open}
      >
        <ChannelSign store={store} />
        <bdi class="channel-name">
          {store.people === null ? store.info.value.name : title}
          <PresenceText state={store.people?.length === 1 ? seenAs(store.people[0] ?? '') : undefined} />
        </bdi>
        {openStore.value !== store && store.draftOf(null).text.value.trim() !== '' && (
          <span class="draft-sign" title="Draft">
            <Icon name="edit" />
            <span class="visually-hidden">, draft</span>
          </span>
        )}
        {unread > 0 && (
          <span class={`badge ${store.mentions.value > 0 ? 'mentions' : ''}`} aria-label={`${unread} unread${mentioned}`}>
            {unread > 99 ? '99+' : unread}
          </span>
        )}
      </a>
    </li>
  );
}

function Me() {
  const user = me.value;
  if (!user) return null;
  return (
    <footer class="me">
      <button type="button" class="me-button" title={`@${user.handle}: set your status`} onClick={() => (dialog.value = 'status')}>
        <Avatar name={user.display_name} colourKey={user.id} picture={user.avatar} presence={shownAs()} />
        <span class="me-text">
          <span class="me-name">
            {user.display_name}
            <PresenceText state={shownAs()} />
          </span>
          <StatusLine status={chosen()?.status} />
        </span>
      </button>
      <NotificationsButton />
      <IconButton icon="settings" label="Settings" onClick={() => (dialog.value = 'settings')} />
      <IconButton icon="power" label="Sign out" onClick={() => void attempt('sign out', signOut)} />
    </footer>
  );
}

/** What others see of the user, as far as they have chosen it and the page can keep it up. */
function shownAs(): PresenceState | undefined {
  if (notice.value !== null) return 'offline';
  const choice = chosen()?.choice;
  return choice === 'auto' ? 'online' : choice;
}
