import type { PresenceBody } from '../protocol/api.ts';
import type { Badge } from '../protocol/frames.ts';
import type { InboxEvent } from '../protocol/inbox-events.ts';

/** What a user has waiting, of all channels; and what they chose to be seen as, null until it is told. */
export interface InboxState {
  /** Of channels that have any; one that is missing has nothing unread. */
  readonly badges: ReadonlyMap<string, Badge>;
  /** How far each channel is known to be read. A marker never goes back, so a badge that says less was made before. */
  readonly readPos: ReadonlyMap<string, number>;
  readonly chosen: PresenceBody | null;
}

export const EMPTY_INBOX: InboxState = { badges: new Map(), readPos: new Map(), chosen: null };

/** Takes a `badges` frame: all there are, or those that have changed. */
export function applyBadges(state: InboxState, badges: readonly Badge[], isFull: boolean): InboxState {
  const all = new Map(isFull ? [] : state.badges);
  const readPos = new Map(state.readPos);
  for (const badge of badges) {
    const pos = Math.max(badge.read_pos, readPos.get(badge.channel_id) ?? 0);
    readPos.set(badge.channel_id, pos);
    all.set(badge.channel_id, readUpTo(badge, pos));
  }
  return { ...state, badges: all, readPos };
}

export function applyInboxEvents(state: InboxState, events: readonly InboxEvent[]): InboxState {
  return events.reduce(applyInboxEvent, state);
}

/** The user has read a channel up to `pos`, here or elsewhere. What is left unread below that is known only from the next badge. */
export function withInboxRead(state: InboxState, channelId: string, pos: number): InboxState {
  if (pos <= (state.readPos.get(channelId) ?? 0)) return state;
  const badge = state.badges.get(channelId);
  const badges = badge ? new Map(state.badges).set(channelId, readUpTo(badge, pos)) : state.badges;
  return { ...state, badges, readPos: new Map(state.readPos).set(channelId, pos) };
}

function applyInboxEvent(state: InboxState, event: InboxEvent): InboxState {
  switch (event.type) {
    case 'read.moved':
      return withInboxRead(state, event.channel_id, event.read_pos);
    case 'channel.left':
      return without(state, event.channel_id);
    case 'presence.chosen':
      return { ...state, chosen: { choice: event.choice, status: event.status } };
    default:
      return state;
  }
}

function without(state: InboxState, channelId: string): InboxState {
  const badges = new Map(state.badges);
  const readPos = new Map(state.readPos);
  badges.delete(channelId);
  readPos.delete(channelId);
  return { ...state, badges, readPos };
}

function readUpTo(badge: Badge, pos: number): Badge {
  if (pos <= badge.read_pos) return badge;
  const left = Math.max(0, badge.last_pos - pos);
  return { ...badge, read_pos: pos, unread: Math.min(badge.unread, left), mentions: Math.min(badge.mentions, left) };
}
