import type { PresenceBody } from '../protocol/api.ts';
import type { Badge } from '../protocol/frames.ts';
import type { InboxEvent } from '../protocol/inbox-events.ts';
import { generationField, isLaterPlace, laterPlace, type ReadPlace } from '../protocol/read-places.ts';

/** What a user has waiting, of all channels; and what they chose to be seen as, null until it is told. */
export interface InboxState {
  /** Of channels that have any; one that is missing has nothing unread. */
  readonly badges: ReadonlyMap<string, Badge>;
  /** How far each channel is known to be read. Of two places the later counts, so a badge that says another was made before. */
  readonly read: ReadonlyMap<string, ReadPlace>;
  readonly chosen: PresenceBody | null;
}

export const EMPTY_INBOX: InboxState = { badges: new Map(), read: new Map(), chosen: null };

/** Where nothing is known yet. */
const UNREAD: ReadPlace = { generation: 0, pos: 0 };

export const readPlaceIn = (state: InboxState, channelId: string): ReadPlace => state.read.get(channelId) ?? UNREAD;

const placeOf = ({ read_pos: pos, read_generation: generation = 0 }: Badge): ReadPlace => ({ generation, pos });

/** Takes a `badges` frame: all there are, or those that have changed. */
export function applyBadges(state: InboxState, badges: readonly Badge[], isFull: boolean): InboxState {
  const all = new Map(isFull ? [] : state.badges);
  const read = new Map(state.read);
  for (const badge of badges) {
    const place = laterPlace(placeOf(badge), read.get(badge.channel_id) ?? UNREAD);
    read.set(badge.channel_id, place);
    all.set(badge.channel_id, readUpTo(badge, place));
  }
  return { ...state, badges: all, read };
}

export function applyInboxEvents(state: InboxState, events: readonly InboxEvent[]): InboxState {
  return events.reduce(applyInboxEvent, state);
}

/** The user has read a channel up to a place, or marked it as unread from there, here or elsewhere. How much is unread then is known only from the next badge. */
export function withInboxRead(state: InboxState, channelId: string, place: ReadPlace): InboxState {
  if (!isLaterPlace(place, readPlaceIn(state, channelId))) return state;
  const badge = state.badges.get(channelId);
  const badges = badge ? new Map(state.badges).set(channelId, readUpTo(badge, place)) : state.badges;
  return { ...state, badges, read: new Map(state.read).set(channelId, place) };
}

/** The place that this client took for read is beyond the channel's newest message, where the server has it stand. */
export function withoutExcess(state: InboxState, channelId: string, { generation, pos }: ReadPlace, stands: number): InboxState {
  const known = readPlaceIn(state, channelId);
  if (stands >= pos || known.generation !== generation || known.pos !== pos) return state;
  return { ...state, read: new Map(state.read).set(channelId, { generation, pos: stands }) };
}

function applyInboxEvent(state: InboxState, event: InboxEvent): InboxState {
  switch (event.type) {
    case 'read.moved':
      return withInboxRead(state, event.channel_id, { generation: event.generation ?? 0, pos: event.read_pos });
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
  const read = new Map(state.read);
  badges.delete(channelId);
  read.delete(channelId);
  return { ...state, badges, read };
}

function readUpTo(badge: Badge, place: ReadPlace): Badge {
  if (!isLaterPlace(place, placeOf(badge))) return badge;
  const left = Math.max(0, badge.last_pos - place.pos);
  const { read_generation: _, ...counts } = badge;
  const { generation: read_generation } = generationField(place.generation);
  return {
    ...counts, read_pos: place.pos, ...(read_generation !== undefined && { read_generation }), unread: Math.min(badge.unread, left), mentions: Math.min(badge.mentions, left),
  };
}
