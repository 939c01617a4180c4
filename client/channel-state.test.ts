import { describe, expect, it } from 'vitest';
import type { Message } from '../protocol/api.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import { seedsOfRun } from '../tests/support/seed.ts';
import {
  applyEntry,
  applyEvents,
  applyPage,
  channelState,
  closeWindow,
  resetState,
  unreadCount,
  withReadPlace,
} from './channel-state.ts';
import { type ChannelState, windowOf } from './channel-window.ts';
import { integer, pick, seededRandom } from './testing/random.ts';
import { ME, RoomModel } from './testing/room-model.ts';

/** The marker is past what one wrote oneself, as it is where one writes on a page: how much before the snapshot is one's own, only badges know. */
const entry = (room: RoomModel, asOf: number) => {
  const own = room.messages(null, asOf).findLast(({ author_id }) => author_id === ME);
  return { id: room.channelId, ...room.details(asOf), epoch: 1, as_of_seq: asOf, last_pos: room.lastPos(asOf), read_pos: own?.pos ?? 0 };
};

function grown(count: number, seed = 1): RoomModel {
  const room = new RoomModel();
  const random = seededRandom(seed);
  for (let i = 0; i < count; i += 1) room.grow(random);
  return room;
}

function normal(message: Message | undefined): unknown {
  return message && { ...message, reactions: message.reactions.map((r) => ({ ...r, user_ids: r.user_ids.toSorted() })).toSorted((a, b) => (a.emoji < b.emoji ? -1 : 1)) };
}

const shown = (state: ChannelState, rootId: string | null) => windowOf(state, rootId)?.ids.map((id) => normal(state.messages.get(id)?.message));

function say(seq: number, actor: string, origin: Message['origin'] = null): ChannelEvent {
  const message = { message_id: `m${seq}`, client_msg_id: `c${seq}`, text: 'x', pos: seq, thread_id: null, tpos: null, origin };
  return { type: 'message.created', seq, id: `e${seq}`, at: 'now', actor_id: actor, ...message };
}

/** What reading the stretch that a window covers would give now. */
function fresh(room: RoomModel, state: ChannelState, rootId: string | null): unknown[] {
  const window = windowOf(state, rootId);
  const all = room.messages(rootId, room.head);
  const first = window?.before === null ? 0 : all.findIndex(({ id }) => id === window?.ids[0]);
  const last = window?.after === null ? all.length : all.findIndex(({ id }) => id === window?.ids.at(-1)) + 1;
  return all.slice(first, last).map(normal);
}

const after = (room: RoomModel, { readPos }: ChannelState) => room.messages(null, room.head).filter(({ pos }) => (pos ?? 0) > readPos);
const deletedAfter = (room: RoomModel, state: ChannelState) => after(room, state).filter(({ deleted_at }) => deleted_at !== null).length;
/** Of those after the marker that are neither own nor deleted. What one wrote is behind the marker, and the deleted are the inbox's to subtract. */
const unreadByDefinition = (room: RoomModel, state: ChannelState) => after(room, state).filter(({ author_id, deleted_at }) => author_id !== ME && deleted_at === null).length;

/** One thing a client does: hear a frame, of which part may be known already, or read or drop some page, from a snapshot of any age. */
function act(state: ChannelState, room: RoomModel, random: () => number): ChannelState {
  const rootId = random() < 0.6 ? null : pick(random, [null, ...room.messages(null, room.head).map(({ id }) => id)]);
  const asOf = state.tailFrom + integer(random, room.head - state.tailFrom + 1);
  const window = windowOf(state, rootId);
  const limit = 1 + integer(random, 6);
  switch (pick(random, ['grow', 'hear', 'hear', 'latest', 'around', 'older', 'newer', 'close', 'read'] as const)) {
    case 'grow':
      for (let i = integer(random, 6); i >= 0; i -= 1) room.grow(random);
      return state;
    case 'hear':
      return applyEvents(state, room.eventsAfter(Math.max(0, state.seq - integer(random, 4)), integer(random, 12)), ME);
    case 'latest':
      return applyPage(state, room.page(rootId, asOf, { limit }), rootId, 'replace', ME) ?? state;
    case 'around': {
      const around = pick(random, [{ id: 'none' }, ...room.messages(rootId, asOf)]).id;
      return applyPage(state, room.page(rootId, asOf, { around, limit }), rootId, 'replace', ME) ?? state;
    }
    case 'older':
      return window?.before ? (applyPage(state, room.page(rootId, asOf, { before: window.before, limit }), rootId, 'older', ME) ?? state) : state;
    case 'newer':
      return window?.after ? (applyPage(state, room.page(rootId, asOf, { after: window.after, limit }), rootId, 'newer', ME) ?? state) : state;
    case 'close':
      return closeWindow(state, rootId);
    case 'read':
      return withReadPlace(state, { generation: state.readGeneration, pos: integer(random, state.lastPos + 1) });
  }
}

describe('channel state', () => {
  it('G3 G4: old state + events of every type = fresh state, and unread what its definition says, whatever was read when, from snapshots of any age', () => {
    for (const seed of seedsOfRun(300)) {
      const random = seededRandom(seed);
      const room = grown(integer(random, 20), seed);
      let state = channelState(entry(room, integer(random, room.head + 1)));
      for (let i = 0; i < 60; i += 1) state = act(state, room, random);
      state = applyEvents(state, room.eventsAfter(state.seq), ME);

      expect(state.lastPos, `seed ${seed}`).toBe(room.lastPos());
      expect(state.details, `seed ${seed}`).toEqual(room.details());
      expect(unreadCount(state) - deletedAfter(room, state), `seed ${seed}, unread`).toBe(unreadByDefinition(room, state));
      for (const rootId of [...(state.history ? [null] : []), ...state.threads.keys()]) {
        expect(shown(state, rootId), `seed ${seed}, ${rootId ?? 'history'}`).toEqual(fresh(room, state, rootId));
      }
      const kept = new Set([...(state.history?.ids ?? []), ...[...state.threads].flatMap(([rootId, { ids }]) => [rootId, ...ids])]);
      expect([...state.messages.keys()].filter((id) => !kept.has(id)), `seed ${seed}, forgotten`).toEqual([]);
    }
  });

  it('G2: events heard twice change nothing', () => {
    const room = grown(40);
    const state = applyEvents(channelState(entry(room, 0)), room.log, ME);
    expect(applyEvents(state, room.log, ME)).toBe(state);
  });

  it('passes over an event of a type it does not know, and counts it (P46)', () => {
    const before = channelState(entry(new RoomModel(), 0));
    const unknown: ChannelEvent = JSON.parse('{"type":"poll.opened","seq":1,"id":"e1","at":"2026-11-23T10:00:00.000Z","actor_id":"a","question":"?"}');
    const after = applyEvents(before, [unknown, say(2, 'other')], ME);
    expect(after).toMatchObject({ seq: 2, lastPos: 2 });
    expect(applyEvents(after, [unknown], ME)).toBe(after);
  });

  it('knows the newest version of the channel, whether an event or an entry told of it first', () => {
    const room = grown(40);
    const changed = { ...room.details(), name: 'renamed', version: room.details().version + 1 };
    const told = applyEntry(channelState(entry(room, 40)), { ...entry(room, 40), ...changed });
    expect(told?.details).toEqual(changed);
    const late: ChannelEvent = { type: 'channel.changed', seq: 41, id: 'e41', at: 'now', actor_id: ME, ...room.details(), name: 'older' };
    expect(told && applyEvents(told, [late], ME).details).toEqual(changed);
    expect(told && resetState(told, { epoch: 2, seq: 0 }).details).toEqual(changed);
  });

  it('is of the kind that was last told: an event that does not say leaves it', () => {
    const room = grown(0);
    const tell = (seq: number, more: object): ChannelEvent => ({ type: 'channel.changed', seq, id: `e${seq}`, at: 'now', actor_id: ME, name: 'n', topic: '', purpose: '', archived_at: null, version: seq + 1, ...more });
    const before = channelState({ ...entry(room, 0), kind: 'public' });
    const after = applyEvents(before, [tell(1, { kind: 'private' }), tell(2, { topic: 'said by an earlier release' })], ME);
    expect(after.details).toMatchObject({ kind: 'private', topic: 'said by an earlier release', version: 3 });
    expect(applyEntry(after, { ...entry(room, 0), ...after.details, kind: 'public', version: 4 })?.details.kind).toBe('public');
  });

  it('keeps the objects of messages that did not change', () => {
    const room = grown(30);
    const before = applyPage(channelState(entry(room, 30)), room.page(null, 30, { limit: 50 }), null, 'replace', ME);
    room.grow(seededRandom(9));
    const created: ChannelEvent[] = room.eventsAfter(30);
    const after = before && applyEvents(before, created, ME);
    const same = before?.history?.ids.filter((id) => before.messages.get(id)?.message === after?.messages.get(id)?.message);
    expect(same?.length).toBeGreaterThanOrEqual((before?.history?.ids.length ?? 0) - 1);
  });

  it('keeps the root of an open thread when the history moves elsewhere, and lets it go with the thread', () => {
    const room = new RoomModel();
    room.log.push(...Array.from({ length: 9 }, (_, i) => say(i + 1, 'other')));
    const read = (state: ChannelState, rootId: string | null, around = '') => applyPage(state, room.page(rootId, 9, { around, limit: 2 }), rootId, 'replace', ME) ?? state;
    const open = read(read(channelState(entry(room, 9)), null, 'm2'), 'm2');
    const moved = read(open, null);
    expect([...moved.messages.keys()]).toEqual(['m2', 'm8', 'm9']);
    expect([...closeWindow(moved, 'm2').messages.keys()]).toEqual(['m8', 'm9']);
  });

  it('refuses a page of another epoch, or one older than its tail reaches', () => {
    const events = Array.from({ length: 1_100 }, (_, i) => say(i + 1, 'other'));
    const state = applyEvents(channelState(entry(new RoomModel(), 0)), events, ME);
    const page = (asOf: number, epoch = 1) => ({ data: [], epoch, as_of_seq: asOf, before_cursor: null, after_cursor: null, users: [] });
    expect(state.tail).toHaveLength(1_000);
    expect(applyPage(state, page(99), null, 'replace', ME)).toBeNull();
    expect(applyPage(state, page(1_100, 2), null, 'replace', ME)).toBeNull();
    expect(applyPage(state, page(100), null, 'replace', ME)?.history?.ids).toHaveLength(1_000);
  });

  it('refuses a page that would leave a hole before the window it joins', () => {
    const room = new RoomModel();
    room.log.push(...Array.from({ length: 9 }, (_, i) => say(i + 1, 'other')));
    const state = applyPage(channelState(entry(room, 0)), room.page(null, 9, { limit: 2 }), null, 'replace', ME);
    const older = (asOf: number) => state && applyPage(state, room.page(null, asOf, { before: '8', limit: 2 }), null, 'older', ME);
    expect(older(5)).toBeNull();
    expect(older(8)?.history?.ids).toEqual(['m6', 'm7', 'm8', 'm9']);
  });

  it('counts as unread what is after the marker, and takes the author of a message for its reader', () => {
    const room = new RoomModel();
    let state = applyEvents(channelState(entry(room, 0)), [say(1, 'other'), say(2, 'other')], ME);
    expect(unreadCount(state)).toBe(2);
    state = applyEvents(state, [say(3, ME), say(4, 'other')], ME);
    expect(unreadCount(state)).toBe(1);
    expect(unreadCount(withReadPlace(state, { generation: 0, pos: 4 }))).toBe(0);
    const imported = say(5, ME, { source: 'irc', author: 'ann', sent_at: '2004-12-25T09:14' });
    expect(unreadCount(applyEvents(state, [imported], ME))).toBe(2);
    expect(withReadPlace(state, { generation: 0, pos: 1 })).toBe(state);
  });

  it('G4: after a reset nothing of before is left, and an entry brings the counters back', () => {
    const room = grown(40);
    const read = applyPage(channelState(entry(room, 40)), room.page(null, 40, { limit: 50 }), null, 'replace', ME);
    const state = resetState(read ?? channelState(entry(room, 0)), { epoch: 2, seq: 7 });
    expect(state).toMatchObject({ epoch: 2, seq: 7, history: null, lastPos: 0 });
    expect(state.messages.size).toBe(0);
    expect(applyEntry(state, { ...entry(room, 6), epoch: 2 })).toBeNull();
    expect(applyEntry(state, { ...entry(room, 40), epoch: 2 })?.lastPos).toBe(room.lastPos());
  });
});
