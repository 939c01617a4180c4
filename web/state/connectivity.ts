import { computed, effect, signal } from '@preact/signals';
import { openStore, refresh } from './account.ts';
import { statusOf, worseOff } from './connection-words.ts';
import { inboxConnection, wakeInbox } from './inbox.ts';

const REFRESH_AFTER_MS = 60_000;
/** A connection that is back this soon is not worth a notice. */
const GRACE_MS = 2_000;

/** Whether someone looks at the page. */
export const isVisible = signal(isLookedAt());
const isOnline = signal(navigator.onLine);
const hasBeenLive = signal(false);
/** Epoch milliseconds, moving twice a second while the page is not live. */
const now = signal(Date.now());
/** Since when the page is not live. */
const downSince = signal<number | null>(Date.now());
let refreshedAt = Date.now();

export const status = computed(() =>
  statusOf({
    isOnline: isOnline.value,
    connection: worseOff(openStore.value?.connection.value, inboxConnection.value),
    hasBeenLive: hasBeenLive.value,
    now: now.value,
  }),
);
/** What there is to say of the connection, once that has lasted. */
export const notice = computed(() => (downSince.value !== null && now.value - downSince.value >= GRACE_MS ? status.value.notice : null));

export function watchConnectivity(): void {
  for (const type of ['focus', 'blur', 'pageshow']) addEventListener(type, looked);
  document.addEventListener('visibilitychange', looked);
  for (const type of ['online', 'offline']) addEventListener(type, networkChanged);
  setInterval(() => status.peek().kind !== 'live' && (now.value = Date.now()), 500);
  effect(() => {
    const isLive = status.value.kind === 'live';
    if (isLive) hasBeenLive.value = true;
    downSince.value = isLive ? null : (downSince.peek() ?? Date.now());
  });
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
