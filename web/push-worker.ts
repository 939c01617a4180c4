import type { PushPayload } from '../protocol/push.ts';
import { noticeWords } from './state/notice-words.ts';
import { pathOf } from './state/path.ts';

/** The page's service worker: shows pushes, and leads to what they are about. What it uses of the platform, which the types of pages do not know. */
interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Pushed extends Waiting {
  readonly data: { json(): PushPayload } | null;
}
interface Clicked extends Waiting {
  readonly notification: Notification;
}
interface Page {
  readonly visibilityState: DocumentVisibilityState;
  readonly focused: boolean;
  focus(): Promise<unknown>;
  navigate(url: string): Promise<unknown>;
}
interface Scope {
  readonly registration: ServiceWorkerRegistration;
  readonly clients: { matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly Page[]>; openWindow(url: string): Promise<unknown>; claim(): Promise<void> };
  addEventListener(type: 'push', listener: (event: Pushed) => void): void;
  addEventListener(type: 'notificationclick', listener: (event: Clicked) => void): void;
  addEventListener(type: 'activate', listener: (event: Waiting) => void): void;
}

declare const self: Scope;

const pages = (): Promise<readonly Page[]> => self.clients.matchAll({ type: 'window', includeUncontrolled: true });

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('push', (event) => {
  const push = event.data?.json();
  if (push !== undefined) event.waitUntil(show(push));
});

/** One notification a notice, by its tag: who is sent it twice sees it once. Whoever has the page before their eyes is told there. */
async function show({ id, reason, channel_id, channel_name, message_id, thread_id, author, text }: PushPayload): Promise<void> {
  if ((await pages()).some((page) => page.focused && page.visibilityState === 'visible')) return;
  const title = `${author} ${noticeWords(reason)}${channel_name === null ? '' : ` in #${channel_name}`}`;
  const data = pathOf({ channelId: channel_id, threadId: thread_id, messageId: message_id });
  await self.registration.showNotification(title, { body: text || 'sent a file', tag: id, data, icon: '/favicon.svg' });
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(open(String(event.notification.data)));
});

async function open(path: string): Promise<void> {
  const [page] = await pages();
  if (page === undefined) return void (await self.clients.openWindow(path));
  // Windows may refuse to come to the front; the page is led there all the same.
  await page.focus().catch(() => {});
  // A page that is not this worker's yet cannot be led.
  await page.navigate(path).catch(() => self.clients.openWindow(path));
}
