import { toggleNotifications, unreadNotifications } from '../state/notifications.ts';
import { isShown } from '../state/side-panel.ts';
import { Icon } from './Icon.tsx';

/** How many notifications are unread; shows which. */
export function NotificationsButton() {
  const unread = unreadNotifications.value;
  const shown = unread > 49 ? '50+' : String(unread);
  return (
    <button
      type="button"
      class="icon-button with-count"
      aria-expanded={isShown('notifications')}
      aria-label={unread > 0 ? `Notifications, ${shown} unread` : 'Notifications'}
      title="Notifications"
      onClick={toggleNotifications}
    >
      <Icon name="bell" />
      {unread > 0 && <span class="badge mentions">{shown}</span>}
    </button>
  );
}
