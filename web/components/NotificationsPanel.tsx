import { useRef } from 'preact/hooks';
import type { Notification } from '../../protocol/notifications.ts';
import { stores } from '../state/account.ts';
import { shortDay, timeOf } from '../state/dates.ts';
import { noticeWords } from '../state/notice-words.ts';
import { markAllRead, notifications, unreadNotifications } from '../state/notifications.ts';
import { goTo } from '../state/search.ts';
import { closePanel } from '../state/side-panel.ts';
import { displayName } from '../state/users.ts';
import { Icon } from './Icon.tsx';
import { IconButton } from './IconButton.tsx';
import { PushButton } from './PushButton.tsx';
import { useFocusInside } from './use-focus-inside.ts';

/** What the user was notified of, the newest first. */
export function NotificationsPanel() {
  const ref = useRef<HTMLElement>(null);
  useFocusInside(ref);
  return (
    <aside ref={ref} class="panel" aria-label="Notifications" tabIndex={-1}>
      <header class="bar">
        <div class="bar-title">
          <h2>Notifications</h2>
        </div>
        <PushButton />
        {unreadNotifications.value > 0 && <IconButton icon="check" label="Mark all as read" onClick={() => void markAllRead()} />}
        <IconButton icon="close" label="Close notifications" onClick={closePanel} />
      </header>
      <div class="results">
        <List />
      </div>
    </aside>
  );
}

function List() {
  const found = notifications.value;
  if (found === null) return <div class="spinner" role="status" aria-label="Loading" />;
  if (found.length === 0) return <p class="hint">Mentions, replies and keywords will be here.</p>;
  return (
    <ul>
      {found.map((notification) => (
        <Item key={notification.id} notification={notification} />
      ))}
    </ul>
  );
}

function Item({ notification }: { notification: Notification }) {
  const { message_id: id, channel_id, thread_id } = notification;
  const at = Date.parse(notification.created_at);
  const channel = stores.value.find((store) => store.id === channel_id)?.title.value;
  return (
    <li class={`hit ${notification.read ? '' : 'unread'}`}>
      <button type="button" onClick={() => void goTo({ id, channel_id, thread_id })}>
        <span class="hit-head">
          <span class="ellipsis">
            {!notification.read && <span class="visually-hidden">Unread: </span>}
            <span class="author">{displayName(notification.author_id)}</span> {noticeWords(notification.reason)}
          </span>
          {notification.quiet && <Icon name="moon" />}
        </span>
        <span class="text" dir="auto">
          {notification.text === '' ? 'The message was deleted.' : notification.text}
        </span>
        <span class="hit-place">
          {channel && <bdi>{channel} · </bdi>}
          {shortDay(at)}, {timeOf(at)}
        </span>
      </button>
    </li>
  );
}
