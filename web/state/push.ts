import { signal } from '@preact/signals';
import { attempt } from './notices.ts';
import { api } from './platform.ts';

const WORKER = '/push-worker.js';
/** Where this browser keeps whose notifications it shows. */
const WHOSE = 'colink.push';

/** Whether this browser is told of notifications while the page is closed. `unavailable`: it cannot be, or the server sends no pushes. */
export const push = signal<'unavailable' | 'off' | 'on'>('unavailable');
let publicKey: string | null = null;
let subscriptionId: string | null = null;

const isPossible = (): boolean => 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window;

/** To be called when somebody is signed in. A browser that they have subscribed is subscribed again, for that ends with each session. */
export async function learnPush(userId: string): Promise<void> {
  if (!isPossible() || push.peek() === 'on') return;
  try {
    publicKey = (await api.pushSubscriptions()).public_key;
    if (publicKey === null) return;
    push.value = 'off';
    if (localStorage.getItem(WHOSE) === userId && Notification.permission === 'granted') await subscribe(userId, publicKey);
  } catch {
    // Asked again with the next sign-in, or by the button.
  }
}

export async function togglePush(userId: string): Promise<void> {
  if (push.peek() === 'on') await attempt('stop notifying you here', endPush);
  else await attempt('notify you here', () => askFirst(userId));
}

async function askFirst(userId: string): Promise<void> {
  if ((await Notification.requestPermission()) !== 'granted') throw new Error('the browser does not allow it');
  if (publicKey !== null) await subscribe(userId, publicKey);
}

async function subscribe(userId: string, applicationServerKey: string): Promise<void> {
  await navigator.serviceWorker.register(WORKER, { type: 'module' });
  const { pushManager } = await navigator.serviceWorker.ready;
  const options = { userVisibleOnly: true, applicationServerKey };
  const subscription = await pushManager.subscribe(options).catch(async () => {
    // It was made for another key of the server.
    await (await pushManager.getSubscription())?.unsubscribe();
    return pushManager.subscribe(options);
  });
  const { endpoint, keys } = subscription.toJSON();
  const { p256dh, auth } = keys ?? {};
  if (endpoint === undefined || p256dh === undefined || auth === undefined) throw new Error('the browser has no keys for it');
  ({ id: subscriptionId } = await api.subscribePush({ endpoint, keys: { p256dh, auth } }));
  localStorage.setItem(WHOSE, userId);
  push.value = 'on';
}

/** This browser shows nobody's notifications any more. */
export async function endPush(): Promise<void> {
  if (push.peek() !== 'on') return;
  localStorage.removeItem(WHOSE);
  push.value = 'off';
  const registration = await navigator.serviceWorker.getRegistration();
  await (await registration?.pushManager.getSubscription())?.unsubscribe();
  if (subscriptionId !== null) await api.unsubscribePush(subscriptionId);
}
