import type { Notification } from '../../protocol/notifications.ts';
import { noticeWords } from '../state/notice-words.ts';
import { markAllRead, notifications, unreadNotifications } from '../state/notifications.ts';
import { displayName } from '../state/users.ts';
import { Hit } from './Hit.tsx';
import { Icon } from './Icon.tsx';
import { IconButton } from './IconButton.tsx';
import { ListPanel } from './ListPanel.tsx';
import { PushButton } from './PushButton.tsx';

/** What the user was notified of, the newest first. */
export function NotificationsPanel() {
  const { value: found } = notifications;
  const tools = (
    <>
      <PushButton />
      {unreadNotifications.value > 0 && <IconButton icon="check" label="Mark all as read" onClick={() => void markAllRead()} />}
    </>
  );
  return (
    <ListPanel
      label="Notifications"
      title="Notifications"
      tools={tools}
      loading={{ name: found === null ? 'loading' : 'idle' }}
      isEmpty={!found?.length}
      hint="Mentions, replies and keywords will be here."
    >
      <ul>
        {found?.map((notification) => (
          <Item key={notification.id} notification={notification} />
        ))}
      </ul>
    </ListPanel>
  );
}

function Item({ notification }: { notification: Notification }) {
  const { message_id: id, channel_id, thread_id, text, read } = notification;
  return (
    <Hit message={{ id, channel_id, thread_id }} at={Date.parse(notification.created_at)} text={text === '' ? null : text} isPlaced isUnread={!read}>
      <span class="ellipsis">
        {!read && <span class="visually-hidden">Unread: </span>}
        <span class="author">{displayName(notification.author_id)}</span> {noticeWords(notification.reason)}
      </span>
      {notification.quiet && <Icon name="moon" />}
    </Hit>
  );
}
