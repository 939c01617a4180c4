import { computed, signal } from '@preact/signals';
import { retrying } from '../../client/backoff.ts';
import { unreadCount } from '../../client/channel-state.ts';
import { outboxPrefix } from '../../client/channel-session.ts';
import { ProblemError } from '../../client/errors.ts';
import { inboxCursorOf } from '../../client/inbox-session.ts';
import type { Bootstrap, MyChannel, MyDirectChannel, User } from '../../protocol/api.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { forgetAppearance, readAppearance } from './appearance.ts';
import { announce, forgetAnnouncements } from './announcements.ts';
import { ChannelStore } from './channel-store.ts';
import { draftsTold, flushDrafts, readDrafts } from './drafts.ts';
import { applyFileEvents } from './files.ts';
import { startInbox, stopInbox } from './inbox.ts';
import { navigate, place } from './location.ts';
import { isMuted } from './mutes.ts';
import { noticeWords } from './notice-words.ts';
import { notify } from './notices.ts';
import { forgetNotifications, notificationsTold, refreshNotifications } from './notifications.ts';
import { api, ports } from './platform.ts';
import { endPush, learnPush } from './push.ts';
import { reasonOf } from './reason.ts';
import { forgetSaved, readSaved, savedTold } from './saved.ts';
import { forgetScheduled, readScheduled, scheduledTold } from './scheduled.ts';
import { displayName, learnUsers } from './users.ts';

export type Account =
  | { readonly phase: 'loading' }
  /** `isUnasked`: it was not this page that signed out. */
  | { readonly phase: 'signed_out'; readonly isUnasked: boolean }
  | { readonly phase: 'failed'; readonly reason: string }
  | { readonly phase: 'ready'; readonly me: User };

export const account = signal<Account>({ phase: 'loading' });
export const stores = signal<readonly ChannelStore[]>([]);
export const openStore = computed(() => stores.value.find(({ id }) => id === place.value.channelId) ?? null);
export const me = computed(() => (account.value.phase === 'ready' ? account.value.me : null));
export const totalUnread = computed(() => stores.value.reduce((sum, { id, unread, mentions }) => sum + (isMuted(id) ? mentions.value : unread.value), 0));

let isSigningOut = false;
/** The channel of an address that is being asked for: whatever is read meanwhile may not have it yet. */
let seeking: string | null = null;

/** Asks who is signed in and which channels there are. */
export async function refresh(): Promise<void> {
  try {
    take(await retrying(api.bootstrap, ports));
  } catch (error) {
    if (isSignedOut(error)) signedOut();
    else if (account.peek().phase !== 'ready') account.value = { phase: 'failed', reason: reasonOf(error) };
  }
}

export async function signOut(): Promise<void> {
  const user = me.peek();
  isSigningOut = true;
  await flushDrafts(stores.peek());
  await endPush().catch(() => {});
  // The sockets may end before the call returns.
  await api.logout().finally(() => (isSigningOut = false));
  signedOut(false);
  if (user) await forgetUnsent(user.id).catch(() => {});
}

async function forgetUnsent(userId: string): Promise<void> {
  const unsent = await ports.store.entries(outboxPrefix(userId));
  await Promise.all(unsent.map(([key]) => ports.store.remove(key)));
}

/** Ends what is live in a channel the user has left, or was removed from. */
export function dropChannel(id: string): void {
  const store = stores.peek().find((one) => one.id === id);
  store?.session.stop();
  stores.value = stores.peek().filter((one) => one !== store);
  if (place.peek().channelId === id) navigate({ channelId: stores.peek()[0]?.id ?? null, threadId: null }, 'replace');
}

function take(bootstrap: Bootstrap): void {
  const { me: user, users } = bootstrap;
  // Direct channels come the newest first, and stay so.
  const channels: readonly (MyChannel | MyDirectChannel)[] = [...bootstrap.channels.toSorted((a, b) => a.name.localeCompare(b.name)), ...bootstrap.direct_channels];
  learnUsers([user, ...users]);
  account.value = { phase: 'ready', me: user };
  const kept = stores.peek().filter(({ id }) => channels.some((channel) => channel.id === id));
  for (const store of stores.peek()) if (!kept.includes(store)) store.session.stop();
  const all = channels.map((channel) => {
    const store = kept.find(({ id }) => id === channel.id);
    if (!store) return new ChannelStore(channel, user.id, { events: heard, closed });
    store.learn(channel);
    return store;
  });
  stores.value = all;
  refreshNotifications();
  void readSaved();
  void readScheduled();
  void readAppearance();
  void readDrafts(all);
  void learnPush(user.id);
  startInbox(inboxCursorOf(bootstrap), { events: told, reset: () => void refresh(), closed: (reason) => reason === 'unauthenticated' && signedOut() });
  void sendLeftovers(user.id);
  const { channelId } = place.peek();
  if (all.some(({ id }) => id === channelId)) return;
  if (channelId === null) goElsewhere(null);
  else if (channelId !== seeking) void seek(channelId);
}

async function seek(channelId: string): Promise<void> {
  seeking = channelId;
  const found = await reveal(channelId).catch(() => undefined);
  seeking = null;
  if (!found && place.peek().channelId === channelId) goElsewhere(channelId);
}

/** The channel at the address is not one of the user's. */
function goElsewhere(from: string | null): void {
  if (from !== null) notify('You are not a member of the channel at this address.');
  navigate({ channelId: stores.peek()[0]?.id ?? null, threadId: null }, 'replace');
}

/** A channel of the user's: a direct one that was closed is opened again. Undefined where it is none; rejects where that could not be asked. */
export async function reveal(channelId: string): Promise<ChannelStore | undefined> {
  const listed = () => stores.peek().find(({ id }) => id === channelId);
  if (listed()) return listed();
  const channel = await api.channel(channelId);
  if (!('user_ids' in channel)) return undefined;
  await api.openDirectChannel(channel.user_ids);
  await refresh();
  return listed();
}

/** What an earlier page left unsent goes out, be its channel looked at or not. */
async function sendLeftovers(userId: string): Promise<void> {
  const prefix = outboxPrefix(userId);
  const unsent = await ports.store.entries(prefix).catch(() => []);
  for (const store of stores.peek()) {
    if (store === openStore.peek() || !unsent.some(([key]) => key.startsWith(`${prefix}${store.id}.`))) continue;
    store.session.start();
    store.session.rest();
  }
}

function told(events: readonly InboxEvent[]): void {
  notificationsTold(events);
  savedTold(events);
  scheduledTold(events, (id) => stores.peek().find((store) => store.id === id)?.title.peek());
  draftsTold(stores.peek(), events);
  for (const event of events) {
    const store = 'channel_id' in event ? stores.peek().find(({ id }) => id === event.channel_id) : undefined;
    if (event.type === 'channel.joined') void refresh();
    else if (event.type === 'read.moved') store?.readTo({ generation: event.generation ?? 0, pos: event.read_pos });
    else if (event.type === 'channel.left' && store) removed(store);
    else if (event.type === 'message.notified' && store && store !== openStore.peek()) {
      if (event.quiet !== true) announce(`${displayName(event.author_id)} ${noticeWords(event.reason)}${store.people === null ? ` in ${store.title.peek()}` : ''}`);
    }
  }
}

function heard(store: ChannelStore, events: readonly ChannelEvent[]): void {
  applyFileEvents(events);
  const created = events.filter((event) => event.type === 'message.created').filter((event) => event.actor_id !== me.peek()?.id);
  const unread = created.filter(({ pos }) => pos !== null).length;
  if (unread > 0 && unreadCount(store.state.peek()) === unread && !store.isReading.peek()) store.newAfter.value = store.state.peek().readPos;
  if (store.isReading.peek()) store.trim();
  if (store !== openStore.peek()) return;
  for (const { actor_id, text, origin } of created.slice(-3)) announce(`${origin?.author ?? displayName(actor_id)}: ${text}`);
}

function closed(store: ChannelStore, reason: string): void {
  if (reason === 'unauthenticated') return signedOut();
  if (reason === 'removed' || reason === 'not_a_member' || reason === 'not_found') removed(store);
}

function removed(store: ChannelStore): void {
  forgetAnnouncements();
  notify(`You are no longer a member of ${store.title.peek()}.`);
  dropChannel(store.id);
}

function signedOut(isUnasked = account.peek().phase === 'ready' && !isSigningOut): void {
  if (account.peek().phase === 'signed_out') return;
  stopInbox();
  forgetNotifications();
  forgetSaved();
  forgetScheduled();
  forgetAppearance();
  for (const store of stores.peek()) store.session.stop();
  stores.value = [];
  account.value = { phase: 'signed_out', isUnasked };
}

const isSignedOut = (error: unknown): boolean => error instanceof ProblemError && error.code === 'unauthenticated';
