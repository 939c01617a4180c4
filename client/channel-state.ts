import type { MessagePage, MyChannel, MyDirectChannel } from '../protocol/api.ts';
import type { ChannelDetails, ChannelEvent } from '../protocol/events.ts';
import { isLaterPlace, type ReadPlace } from '../protocol/read-places.ts';
import { detailsOfEntry, newerDetails } from './channel-details.ts';
import type { Cursor } from './connection.ts';
import { Draft } from './channel-draft.ts';
import { type ChannelState, type MessageWindow, windowOf } from './channel-window.ts';

/** Most recent events kept to bring a page of history up to date that was read from a snapshot behind this state. */
const MAX_TAIL = 1_000;

/** Where a page goes: in place of the window, or at its older or newer end. */
export type PagePlace = 'replace' | 'older' | 'newer';

type Entry = (Pick<MyChannel, 'id' | 'epoch' | 'as_of_seq' | 'last_pos' | 'read_pos' | 'read_generation'> & ChannelDetails) | MyDirectChannel;

export function channelState(entry: Entry): ChannelState {
  const fresh = emptyAt(entry.id, { epoch: entry.epoch, seq: entry.as_of_seq }, detailsOfEntry(entry));
  return { ...fresh, lastPos: entry.last_pos, readPos: entry.read_pos, readGeneration: entry.read_generation ?? 0 };
}

function emptyAt(channelId: string, { epoch, seq }: Cursor, details: ChannelDetails): ChannelState {
  const nothingRead = { messages: new Map(), history: null, threads: new Map(), lastPos: 0, readPos: 0, readGeneration: 0 };
  return { channelId, details, epoch, seq, tail: [], tailFrom: seq, ...nothingRead };
}

/** After `recovered: false`: all that was read is void; the read marker is the user's, and what the channel is has a version of its own: they stay. */
export function resetState(state: ChannelState, cursor: Cursor): ChannelState {
  return { ...emptyAt(state.channelId, cursor, state.details), readPos: state.readPos, readGeneration: state.readGeneration };
}

export const unreadCount = (state: ChannelState): number => Math.max(0, state.lastPos - state.readPos);

export const readPlaceOf = ({ readGeneration: generation, readPos: pos }: ChannelState): ReadPlace => ({ generation, pos });

/** The marker as it is by now, unless what is known of it is later. */
export function withReadPlace(state: ChannelState, place: ReadPlace): ChannelState {
  return isLaterPlace(place, readPlaceOf(state)) ? { ...state, readPos: place.pos, readGeneration: place.generation } : state;
}

/** Takes the events that follow `state.seq`; older ones are dropped. `me` is the caller's user id: one's own message counts as read. */
export function applyEvents(state: ChannelState, events: readonly ChannelEvent[], me: string): ChannelState {
  const fresh = events.filter((event) => event.seq > state.seq);
  const last = fresh.at(-1);
  if (!last) return state;
  const draft = new Draft(state);
  for (const event of fresh) draft.apply(event, me);
  return { ...draft.finish(), seq: last.seq, ...grown(state, fresh) };
}

function grown(state: ChannelState, fresh: readonly ChannelEvent[]): Pick<ChannelState, 'tail' | 'tailFrom'> {
  const tail = [...state.tail, ...fresh];
  const dropped = tail.splice(0, Math.max(0, tail.length - MAX_TAIL)).at(-1);
  return { tail, tailFrom: dropped?.seq ?? state.tailFrom };
}

/**
 * Takes a page of the channel's history, or of the thread of `rootId`. Null when the page is of another epoch, older than the tail
 * reaches back, or older than the message it is to join, which would leave a hole: then it has to be read again, later.
 */
export function applyPage(state: ChannelState, page: MessagePage, rootId: string | null, place: PagePlace, me: string): ChannelState | null {
  if (!reaches(state, page) || (place !== 'replace' && page.as_of_seq < edgeSeq(state, rootId, place))) return null;
  const draft = new Draft(state);
  draft.hold(page.data, page.as_of_seq);
  draft.setWindow(rootId, joined(state, rootId, page, place));
  // What happened since the snapshot; to what is current already it does nothing.
  for (const event of state.tail) if (event.seq > page.as_of_seq) draft.apply(event, me);
  return draft.finish();
}

/** Takes a bootstrap entry, under the same condition as `applyPage`. */
export function applyEntry(state: ChannelState, entry: Entry): ChannelState | null {
  if (!reaches(state, entry)) return null;
  const read = withReadPlace(state, { generation: entry.read_generation ?? 0, pos: entry.read_pos });
  return { ...read, lastPos: Math.max(state.lastPos, entry.last_pos), details: newerDetails(state.details, detailsOfEntry(entry)) };
}

/** Forgets what was read of a thread, or of the history; counters and tail go on. */
export function closeWindow(state: ChannelState, rootId: string | null): ChannelState {
  const draft = new Draft(state);
  draft.setWindow(rootId, null);
  return draft.finish();
}

function reaches(state: ChannelState, snapshot: { epoch: number; as_of_seq: number }): boolean {
  return snapshot.epoch === state.epoch && snapshot.as_of_seq >= state.tailFrom;
}

function joined(state: ChannelState, rootId: string | null, page: MessagePage, place: PagePlace): MessageWindow {
  const ids = page.data.map(({ id }) => id);
  const { before_cursor: before, after_cursor: after, as_of_seq: asOf } = page;
  const window = windowOf(state, rootId);
  if (window === null || place === 'replace') return { ids, before, after, asOf };
  if (place === 'older') return { ...window, ids: [...ids, ...window.ids], before };
  return { ids: [...window.ids, ...ids], before: window.before, after, asOf };
}

function edgeSeq(state: ChannelState, rootId: string | null, place: 'older' | 'newer'): number {
  const id = windowOf(state, rootId)?.ids.at(place === 'older' ? 0 : -1) ?? '';
  return state.messages.get(id)?.message.seq ?? 0;
}
