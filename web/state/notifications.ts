import { computed, signal } from '@preact/signals';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import type { Notification } from '../../protocol/notifications.ts';
import { attempt } from './notices.ts';
import { api } from './platform.ts';
import { closePanel, isShown, openPanel } from './side-panel.ts';
import { learnUsers } from './users.ts';

/** The newest so many are shown, and counted. */
const SHOWN = 50;
/** What comes together is read together; by then the inbox has stored it. */
const GATHER_MS = 500;

/** The newest first; null until they are read. */
export const notifications = signal<readonly Notification[] | null>(null);
export const unreadNotifications = computed(() => notifications.value?.filter(({ read }) => !read).length ?? 0);
let timer: ReturnType<typeof setTimeout> | null = null;

const CHANGING: ReadonlySet<InboxEvent['type']> = new Set(['message.notified', 'notices.read', 'read.moved', 'channel.joined', 'channel.left']);

/** To be called with what the inbox tells: reads the list again where it may have changed. */
export function notificationsTold(events: readonly InboxEvent[]): void {
  if (events.some(({ type }) => CHANGING.has(type))) refreshNotifications();
}

export function refreshNotifications(): void {
  timer ??= setTimeout(() => void load(), GATHER_MS);
}

export function forgetNotifications(): void {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  notifications.value = null;
}

async function load(): Promise<void> {
  timer = null;
  try {
    const { data, users } = await api.notifications({ limit: SHOWN });
    learnUsers(users);
    notifications.value = data;
  } catch {
    // What was known stays; the next event has it read again.
  }
}

export function toggleNotifications(): void {
  if (isShown('notifications')) return closePanel();
  openPanel('notifications');
  refreshNotifications();
}

export const markAllRead = (): Promise<boolean> => attempt('mark them as read', () => api.markNotificationsRead(null));
