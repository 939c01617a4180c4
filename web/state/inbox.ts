import { computed, signal } from '@preact/signals';
import { browserActivity } from '../../client/browser.ts';
import type { Cursor } from '../../client/connection.ts';
import { InboxSession, type Viewing } from '../../client/inbox-session.ts';
import { EMPTY_INBOX, type InboxState, readPlaceIn } from '../../client/inbox-state.ts';
import type { ConnectionState } from '../../client/lifecycle.ts';
import type { PresenceBody } from '../../protocol/api.ts';
import type { Badge, ReadResult } from '../../protocol/frames.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import type { ReadPlace } from '../../protocol/read-places.ts';
import { api, ports } from './platform.ts';

/** Null until the server has told what is unread. */
const state = signal<InboxState | null>(null);
const asked = signal<PresenceBody | null>(null);
export const inboxConnection = signal<ConnectionState>({ name: 'idle' });
let session: InboxSession | null = null;
let shown: Viewing | null = null;

export interface InboxCallbacks {
  events(events: readonly InboxEvent[]): void;
  /** The channels have to be listed again. */
  reset(): void;
  closed(reason: string): void;
}

/** What is unread in a channel: null where nothing is, undefined where it is not known yet. */
export function badgeOf(channelId: string): Badge | null | undefined {
  return state.value === null ? undefined : (state.value.badges.get(channelId) ?? null);
}

/** Where something is unread, and up to which `pos`. */
export const unreadChannels = computed(() => [...(state.value?.badges.values() ?? [])].filter(({ unread }) => unread > 0));

export const knownRead = (channelId: string): ReadPlace => readPlaceIn(state.peek() ?? EMPTY_INBOX, channelId);
/** What the user chose to be seen as, or null as long as that is not known: read once, told from then on. */
export const chosen = (): PresenceBody | null => state.value?.chosen ?? asked.value;

/** `since`: where the channels that are shown stand. */
export function startInbox(since: Cursor, { events, reset, closed }: InboxCallbacks): void {
  if (session) return;
  void askChosen();
  session = new InboxSession(
    { ...ports, activity: browserActivity() },
    {
      stateChanged: (now) => (state.value = now),
      connectionChanged: (now) => {
        inboxConnection.value = now;
        if (now.name === 'closed' && now.reason !== 'stopped') closed(now.reason);
      },
      events,
      reset: () => {
        void askChosen();
        reset();
      },
    },
    since,
  );
  session.view(shown);
  session.start();
}

export function stopInbox(): void {
  session?.stop();
  session = null;
  state.value = null;
  asked.value = null;
}

async function askChosen(): Promise<void> {
  try {
    asked.value = await api.myPresence();
  } catch {
    // It is not known then, and shown as such.
  }
}

/** What the page shows its user now; null: no channel, or not its newest messages. */
export function showing(viewing: Viewing | null): void {
  shown = viewing;
  session?.view(viewing);
}

export const wakeInbox = (): void => session?.wake();

/** Rejects while there is no inbox: the caller tries again. */
export async function markRead(channelId: string, pos: number, generation: number): Promise<ReadResult> {
  if (!session) throw new Error('There is no inbox');
  return await session.markRead(channelId, pos, generation);
}

export async function markUnread(channelId: string, pos: number): Promise<void> {
  if (!session) throw new Error('There is no inbox');
  await session.markUnread(channelId, pos);
}
