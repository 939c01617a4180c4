import { computed, signal } from '@preact/signals';
import type { ConnectionState } from '../../client/lifecycle.ts';
import { openStore, refresh } from './account.ts';
import { inboxConnection, wakeInbox } from './inbox.ts';

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

/** How the page is connected, in words: the open channel and the inbox, and of these the one that is worse off. */
export const status = computed<Status>(() => {
  if (!isOnline.value) return { kind: 'down', text: 'Offline' };
  const channel = openStore.value?.connection.value;
  return inWords(!channel || channel.name === 'open' || channel.name === 'idle' ? inboxConnection.value : channel);
});

function inWords(connection: ConnectionState): Status {
  switch (connection.name) {
    case 'open':
      return { kind: 'live', text: 'Live' };
    case 'closed':
      return { kind: 'down', text: 'Disconnected' };
    case 'paused':
      return { kind: 'busy', text: connection.reason === 'offline' ? 'Offline' : 'Paused' };
    case 'waiting':
      return { kind: 'busy', text: `Reconnecting in ${Math.max(0, Math.ceil((connection.retryAt - now.value) / 1_000))} s` };
    default:
      return { kind: 'busy', text: 'Connecting…' };
  }
}

export function watchConnectivity(): void {
  for (const type of ['focus', 'blur', 'pageshow']) addEventListener(type, looked);
  document.addEventListener('visibilitychange', looked);
  for (const type of ['online', 'offline']) addEventListener(type, networkChanged);
  setInterval(() => status.peek().kind === 'busy' && (now.value = Date.now()), 500);
}

export function reconnectNow(): void {
  wakeInbox();
  openStore.peek()?.session.wake();
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
