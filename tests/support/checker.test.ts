import { describe, expect, it } from 'vitest';
import type { ChannelEvent } from '../../protocol/events.ts';
import { check, type Observations, type Violation } from './checker.ts';
import { foldIndex, foldMessages, type LogRecord } from './fold.ts';

const ALICE = 'a1';
const BOB = 'b0';
const at = '2026-01-01T00:00:00.000Z';

type Created = Extract<ChannelEvent, { type: 'message.created' }>;
const send = (seq: number, pos: number, author = ALICE): Created => ({
  seq, id: `e${seq}`, at, actor_id: author, type: 'message.created', message_id: `m${seq}`, client_msg_id: `c${seq}`, text: `text ${seq}`,
  pos, thread_id: null, tpos: null, origin: null,
});
const reply = (seq: number, root: number, tpos: number): Created => ({ ...send(seq, 0), pos: null, thread_id: `m${root}`, tpos });
const joined: ChannelEvent = { seq: 1, id: 'e1', at, actor_id: ALICE, type: 'member.added', user_id: ALICE, role: 'owner' };

/** A channel of six messages, one a reply, one edited, one deleted, one with a reaction taken back. */
const EVENTS: readonly ChannelEvent[] = [
  joined,
  send(2, 1),
  send(3, 2, BOB),
  reply(4, 2, 1),
  { seq: 5, id: 'e5', at, actor_id: BOB, type: 'reaction.added', message_id: 'm2', emoji: '👍' },
  send(6, 3),
  { seq: 7, id: 'e7', at, actor_id: ALICE, type: 'message.edited', message_id: 'm6', text: 'better', revision: 2 },
  { seq: 8, id: 'e8', at, actor_id: BOB, type: 'message.deleted', message_id: 'm3', thread_id: null },
  { seq: 9, id: 'e9', at, actor_id: BOB, type: 'reaction.removed', message_id: 'm2', emoji: '👍' },
  { seq: 10, id: 'e10', at, actor_id: ALICE, type: 'reaction.added', message_id: 'm6', emoji: 'x' },
  send(11, 4),
  send(12, 5, BOB),
];

function sound(): Observations {
  const log = EVENTS.map((event, index): LogRecord => ({ position: 100 + 3 * index, event }));
  const messages = [...foldMessages(EVENTS).values()];
  const sends = EVENTS.flatMap((event) => (event.type === 'message.created' ? [event] : []));
  return {
    attempts: [...sends.map(({ actor_id: author_id, client_msg_id, text }) => ({ author_id, client_msg_id, text })), { author_id: BOB, client_msg_id: 'c99', text: 'never arrived' }],
    acknowledged: EVENTS.flatMap(({ type, actor_id: author_id, seq, ...event }) => ('message_id' in event ? [{ type, author_id, seq, message_id: event.message_id }] : [])),
    readers: [
      { name: 'from the start', after: 0, events: EVENTS },
      { name: 'late', after: 4, events: EVENTS.slice(4) },
    ],
    listings: [
      { name: 'channel', order: 'pos', messages: messages.filter(({ pos }) => pos !== null) },
      { name: 'thread', order: 'tpos', messages: messages.filter(({ tpos }) => tpos !== null) },
    ],
    stored: messages.toReversed(),
    log,
    topic: log,
    index: [...foldIndex(EVENTS).values()],
    drained_seq: 12,
    head: 12,
  };
}

const without = <T>(list: readonly T[], index: number): T[] => list.filter((_, at) => at !== index);
const swapped = <T>(list: readonly T[], index: number): T[] => list.toSpliced(index, 2, ...list.slice(index, index + 2).toReversed());
const repeated = <T>(list: readonly T[], index: number): T[] => list.toSpliced(index, 0, ...list.slice(index, index + 1));
const altered = <T>(list: readonly T[], index: number, change: object): T[] => list.map((item, at) => (at === index ? { ...item, ...change } : item));

const reader = (seen: Observations, change: (events: readonly ChannelEvent[]) => ChannelEvent[]): Observations => ({
  ...seen,
  readers: seen.readers.map((log) => (log.name === 'late' ? { ...log, events: change(log.events) } : log)),
});
const listing = (seen: Observations, change: (messages: Observations['stored']) => Observations['stored']): Observations => ({
  ...seen,
  listings: seen.listings.map((list) => (list.name === 'channel' ? { ...list, messages: change(list.messages) } : list)),
});
const cut = (seen: Observations): Observations => ({ ...seen, log: seen.log.slice(0, 10), drained_seq: 10 });

type Planted = [name: string, plant: (seen: Observations) => Observations, expected: Pick<Violation, 'guarantee' | 'kind' | 'where'>];
const PLANTED: readonly Planted[] = [
  ['a lost message in Postgres', (seen) => ({ ...seen, stored: without(seen.stored, 0) }), { guarantee: 'G1', kind: 'lost', where: 'postgres' }],
  ['a lost message in history', (seen) => listing(seen, (list) => without(list, 4)), { guarantee: 'G1', kind: 'lost', where: 'history' }],
  ['a lost message in the log', (seen) => ({ ...seen, log: without(seen.log, 5) }), { guarantee: 'G1', kind: 'lost', where: 'event_log' }],
  ['a lost edit in the log', (seen) => ({ ...seen, log: without(seen.log, 6) }), { guarantee: 'G1', kind: 'lost', where: 'event_log' }],
  ['a lost message on the topic', (seen) => ({ ...seen, topic: without(seen.log, 1) }), { guarantee: 'G1', kind: 'lost', where: 'topic' }],
  ['a lost message at a reader', (seen) => reader(seen, (events) => without(events, 1)), { guarantee: 'G1', kind: 'lost', where: 'late' }],
  ['an acknowledged message under another number', (seen) => ({ ...seen, acknowledged: altered(seen.acknowledged, 0, { seq: 3 }) }), { guarantee: 'G1', kind: 'lost', where: 'event_log' }],
  ['a message twice in Postgres', (seen) => ({ ...seen, stored: repeated(seen.stored, 2) }), { guarantee: 'G2', kind: 'duplicated', where: 'postgres' }],
  ['a message twice in history', (seen) => listing(seen, (list) => repeated(list, 1)), { guarantee: 'G2', kind: 'duplicated', where: 'history' }],
  ['one client_msg_id under two ids', (seen) => ({ ...seen, stored: altered(seen.stored, 0, { client_msg_id: 'c3' }) }), { guarantee: 'G2', kind: 'duplicated', where: 'postgres' }],
  ['an event twice at a reader', (seen) => reader(seen, (events) => repeated(events, 3)), { guarantee: 'G2', kind: 'duplicated', where: 'late' }],
  ['an event twice in the log', (seen) => ({ ...seen, log: repeated(seen.log, 3) }), { guarantee: 'G2', kind: 'duplicated', where: 'event_log' }],
  ['a repetition on the topic under a new position', (seen) => ({ ...seen, topic: [...seen.log, ...altered(seen.log.slice(1, 2), 0, { position: 999 })] }), { guarantee: 'G2', kind: 'duplicated', where: 'topic' }],
  ['a row twice in the index', (seen) => ({ ...seen, index: repeated(seen.index, 0) }), { guarantee: 'G2', kind: 'duplicated', where: 'index' }],
  ['a ghost in history', (seen) => ({ ...seen, attempts: without(seen.attempts, 0) }), { guarantee: 'G2', kind: 'ghost', where: 'history' }],
  ['a text that is not what was sent', (seen) => ({ ...seen, attempts: altered(seen.attempts, 1, { text: 'other' }) }), { guarantee: 'G2', kind: 'differs', where: 'event_log' }],
  ['two events swapped at a reader', (seen) => reader(seen, (events) => swapped(events, 2)), { guarantee: 'G3', kind: 'reordered', where: 'late' }],
  ['two messages swapped in history', (seen) => listing(seen, (list) => swapped(list, 0)), { guarantee: 'G3', kind: 'reordered', where: 'channel' }],
  ['two records swapped on the topic', (seen) => ({ ...seen, topic: swapped(seen.log, 4) }), { guarantee: 'G4', kind: 'gap', where: 'topic' }],
  ['two messages with each other\'s pos at a reader', (seen) => reader(seen, (events) => altered(altered(events, 6, { pos: 5 }), 7, { pos: 4 })), { guarantee: 'G3', kind: 'reordered', where: 'late (pos)' }],
  ['another event under the same number', (seen) => reader(seen, (events) => altered(events, 2, { text: 'other' })), { guarantee: 'G3', kind: 'differs', where: 'late' }],
  ['a gap at a reader', (seen) => reader(seen, (events) => without(events, 4)), { guarantee: 'G4', kind: 'gap', where: 'late' }],
  ['a gap at the beginning of a reader', (seen) => reader(seen, (events) => events.slice(1)), { guarantee: 'G4', kind: 'gap', where: 'late' }],
  ['a reader that ends early', (seen) => reader(seen, (events) => events.slice(0, -1)), { guarantee: 'G4', kind: 'unseen', where: 'late' }],
  ['a gap in the log', (seen) => ({ ...seen, log: without(seen.log, 0) }), { guarantee: 'G6', kind: 'gap', where: 'event_log' }],
  ['a log that ends before drained_seq', (seen) => ({ ...cut(seen), drained_seq: 12 }), { guarantee: 'G6', kind: 'differs', where: 'conversation_logs' }],
  ['a drain that never reaches head', cut, { guarantee: 'G6', kind: 'undrained', where: 'postgres' }],
  ['a message beyond drained_seq', cut, { guarantee: 'G6', kind: 'ghost', where: 'postgres' }],
  ['an edit not projected', (seen) => ({ ...seen, stored: altered(seen.stored, 2, { text: 'text 6' }) }), { guarantee: 'G6', kind: 'differs', where: 'postgres' }],
  ['a reaction that came back', (seen) => listing(seen, (list) => altered(list, 0, { reactions: [`👍 ${BOB}`] })), { guarantee: 'G6', kind: 'differs', where: 'history' }],
  ['an index without a message', (seen) => ({ ...seen, index: without(seen.index, 0) }), { guarantee: 'G7', kind: 'lost', where: 'index' }],
  ['an index with a deleted message', (seen) => ({ ...seen, index: [...seen.index, { id: 'm3', author_id: BOB, seq: 3, text: 'text 3' }] }), { guarantee: 'G7', kind: 'ghost', where: 'index' }],
  ['an index with an old text', (seen) => ({ ...seen, index: altered(seen.index, 2, { text: 'text 6', seq: 6 }) }), { guarantee: 'G7', kind: 'differs', where: 'index' }],
];

describe('the checker', () => {
  it('finds nothing in a sound run, with and without a broker', () => {
    expect(check(sound())).toEqual([]);
    expect(check({ ...sound(), topic: null })).toEqual([]);
  });

  it('takes redeliveries on the topic for what they are', () => {
    const seen = sound();
    expect(check({ ...seen, topic: [...seen.log.slice(0, 6), ...seen.log.slice(2)] })).toEqual([]);
  });

  it.each(PLANTED)('reports %s', (_, plant, expected) => {
    expect(check(plant(sound()))).toContainEqual({ ...expected, detail: expect.any(String) });
  });
});
