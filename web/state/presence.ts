import { computed, signal } from '@preact/signals';
import { openStore, refresh, stores } from './account.ts';

const REFRESH_AFTER_MS = 60_000;

/** Whether someone looks at the page. */
export const isVisible = signal(isLookedAt());
const isOnline = signal(navigator.onLine);
/** Epoch milliseconds, moving once a second while a countdown shows. */
const now = signal(Date.now());
let refreshedAt = Date.now();

export interface Status {
  readonly kind: 'live' | 'busy' | 'down';
  readonly text: string;
}

/** How the open channel is connected, in words. */
export const status = computed<Status>(() => {
  const connection = (openStore.value ?? stores.value[0])?.connection.value;
  if (!isOnline.value) return { kind: 'down', text: 'Offline' };
  if (!connection || connection.name === 'open') return { kind: 'live', text: 'Live' };
  if (connection.name === 'paused') return { kind: 'busy', text: 'Paused' };
  if (connection.name === 'closed') return { kind: 'down', text: 'Disconnected' };
  if (connection.name !== 'waiting') return { kind: 'busy', text: 'Connecting…' };
  const seconds = Math.max(0, Math.ceil((connection.retryAt - now.value) / 1_000));
  return { kind: 'busy', text: `Reconnecting in ${seconds} s` };
});

export function watchPresence(): void {
  for (const type of ['focus', 'blur', 'pageshow']) addEventListener(type, looked);
  document.addEventListener('visibilitychange', looked);
  for (const type of ['online', 'offline']) addEventListener(type, networkChanged);
  setInterval(() => status.peek().kind === 'busy' && (now.value = Date.now()), 500);
}

export function reconnectNow(): void {
  for (const { session } of stores.peek()) session.wake();
}

function looked(): void {
  isVisible.value = isLookedAt();
  if (!isVisible.peek()) return;
  reconnectNow();
  if (Date.now() - refreshedAt < REFRESH_AFTER_MS) return;
  refreshedAt = Date.now();
  void refresh();
}

function networkChanged(): void {
  isOnline.value = navigator.onLine;
  if (isOnline.peek()) reconnectNow();
}

function isLookedAt(): boolean {
  return document.visibilityState === 'visible' && document.hasFocus();
}
