import { isDeepStrictEqual } from 'node:util';
import type { ChannelEvent, ChannelEventType } from '../../protocol/events.ts';
import { foldIndex, foldMessages, type IndexRow, type LogRecord, type MessageState, takenOver } from './fold.ts';

/** A message someone set out to send. An attempt need not have succeeded. */
export interface Attempt {
  readonly author_id: string;
  readonly client_msg_id: string;
  readonly text: string;
}

/** A command the server said it had done. `seq` null: the answer to a repetition that no longer knew its event. */
export interface Acknowledgement {
  readonly type: ChannelEventType;
  /** Null: whoever it was who did it first. */
  readonly author_id: string | null;
  readonly message_id: string;
  readonly seq: number | null;
}

/** All a socket client was given over all its connections. Its first event is the one after `after`. */
export interface ReaderLog {
  readonly name: string;
  readonly after: number;
  readonly events: readonly ChannelEvent[];
}

/** A listing as the API pages it: the channel in `pos` order, or a thread in `tpos` order. */
export interface Listing {
  readonly name: string;
  readonly order: 'pos' | 'tpos';
  readonly messages: readonly MessageState[];
}

/** What was seen of one channel from outside, once nothing moves any more. */
export interface Observations {
  readonly attempts: readonly Attempt[];
  readonly acknowledged: readonly Acknowledgement[];
  readonly readers: readonly ReaderLog[];
  readonly listings: readonly Listing[];
  /** Table `messages`, in any order. */
  readonly stored: readonly MessageState[];
  /** Table `event_log`, in position order. */
  readonly log: readonly LogRecord[];
  /** The channel's records of `message.events` in offset order, repetitions included; null where no broker runs. */
  readonly topic: readonly LogRecord[] | null;
  readonly index: readonly IndexRow[];
  readonly drained_seq: number;
  /** The last `seq` the room has given out. */
  readonly head: number;
}

/**
 * `guarantee` is the design's number. `where` names the place in which it is broken. `lost`: it is passed over for good, as what came after it shows.
 * `unseen`: the end is missing, and might still come. `non-monotonic`: a place that only goes on went back.
 */
export interface Violation {
  readonly guarantee: 'G1' | 'G2' | 'G3' | 'G4' | 'G6' | 'G7';
  readonly kind: 'lost' | 'unseen' | 'duplicated' | 'reordered' | 'non-monotonic' | 'gap' | 'ghost' | 'differs' | 'undrained' | 'unaccounted';
  readonly where: string;
  readonly detail: string;
}

/** Every violation of the guarantees that these observations show; none: they hold as far as can be seen. */
export function check(seen: Observations): Violation[] {
  return [...kept(seen), ...once(seen), ...noGhosts(seen), ...ordered(seen), ...agreeing(seen), ...prefix(seen), ...derived(seen)];
}

interface Place {
  readonly name: string;
  readonly messages: readonly { readonly id: string; readonly author_id: string; readonly client_msg_id: string }[];
}

/** What its sender calls a message: the other half of its identity. */
const keyOf = ({ author_id, client_msg_id }: { author_id: string; client_msg_id: string }): string => `${author_id} ${client_msg_id}`;
const created = (events: readonly ChannelEvent[]) => events.filter((event) => event.type === 'message.created');
const asMessages = (events: readonly ChannelEvent[]) =>
  created(events).map(({ message_id: id, actor_id: author_id, client_msg_id }) => ({ id, author_id, client_msg_id }));
const eventsOf = (records: readonly LogRecord[]) => records.map(({ event }) => event);

/** Wherever messages are to be seen. The listings are one place: together they are the history. */
function places(seen: Observations): Place[] {
  return [
    { name: 'history', messages: seen.listings.flatMap(({ messages }) => messages) },
    { name: 'postgres', messages: seen.stored },
    { name: 'event_log', messages: asMessages(eventsOf(seen.log)) },
    ...(seen.topic ? [{ name: 'topic', messages: asMessages(takenOver(seen.topic)) }] : []),
    ...seen.readers.map(({ name, events }) => ({ name, messages: asMessages(events) })),
  ];
}

/** G1: an acknowledged event is in the log under its number, and an acknowledged message in every place that reaches back to it. */
function kept(seen: Observations): Violation[] {
  const bySeq = new Map(seen.log.map(({ event }) => [event.seq, event]));
  const inLog = seen.acknowledged.flatMap((ack): Violation[] => {
    const event = ack.seq === null ? undefined : bySeq.get(ack.seq);
    const same = event?.type === ack.type && 'message_id' in event && event.message_id === ack.message_id && (ack.author_id === null || event.actor_id === ack.author_id);
    return same || ack.seq === null ? [] : [{ guarantee: 'G1', kind: 'lost', where: 'event_log', detail: `${ack.type} of ${ack.message_id} at ${ack.seq}` }];
  });
  return [...inLog, ...places(seen).flatMap((place) => lostIn(seen, place))];
}

function lostIn(seen: Observations, { name, messages }: Place): Violation[] {
  const present = new Set(messages.map(({ id }) => id));
  const after = seen.readers.find((reader) => reader.name === name)?.after ?? 0;
  return seen.acknowledged
    .filter(({ type, seq, message_id }) => type === 'message.created' && (seq === null || seq > after) && !present.has(message_id))
    .map(({ message_id }) => ({ guarantee: 'G1', kind: 'lost', where: name, detail: message_id }));
}

/** G2: no place holds a message twice, by its id or by what its sender called it. */
function once(seen: Observations): Violation[] {
  const ids = places(seen).flatMap(({ name, messages }) => repeated(messages.map(({ id }) => id), name));
  const names = places(seen).flatMap(({ name, messages }) => repeated(messages.map(keyOf), name));
  const events = seen.readers.flatMap(({ name, events }) => repeated(events.map(({ id }) => id), name));
  const log = repeated(seen.log.map(({ event }) => event.id), 'event_log');
  return [...ids, ...names, ...events, ...log, ...repeated(seen.index.map(({ id }) => id), 'index')];
}

function repeated(keys: readonly string[], where: string): Violation[] {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1).map(([key, count]) => ({ guarantee: 'G2', kind: 'duplicated', where, detail: `${key}, ${count} times` }));
}

/** G2: what nobody sent is nowhere, and what was sent says what its sender wrote. */
function noGhosts(seen: Observations): Violation[] {
  const texts = new Map(seen.attempts.map((attempt) => [keyOf(attempt), attempt.text]));
  const ghosts = places(seen).flatMap(({ name, messages }) =>
    messages
      .filter((message) => !texts.has(keyOf(message)))
      .map(({ id }): Violation => ({ guarantee: 'G2', kind: 'ghost', where: name, detail: id })),
  );
  const altered = created(eventsOf(seen.log)).filter(({ actor_id: author_id, client_msg_id, text }) => (texts.get(keyOf({ author_id, client_msg_id })) ?? text) !== text);
  return [...ghosts, ...altered.map(({ message_id }): Violation => ({ guarantee: 'G2', kind: 'differs', where: 'event_log', detail: message_id }))];
}

/** G3 and G4: every reader, the log and the topic saw each number after the one before; listings are in order, and readers' order is theirs. */
function ordered(seen: Observations): Violation[] {
  const readers = seen.readers.flatMap(({ name, after, events }) => [
    ...consecutive(events.map(({ seq }) => seq), after, name),
    ...(after + events.length < seen.head ? [{ guarantee: 'G4', kind: 'unseen', where: name, detail: `ends before ${seen.head}` } as const] : []),
    ...consecutivePositions(events, name),
  ]);
  const listings = seen.listings.flatMap(({ name, order, messages }) => consecutive(messages.map((message) => message[order] ?? 0), 0, name));
  const topic = seen.topic ? consecutive(takenOver(seen.topic).map(({ seq }) => seq), 0, 'topic') : [];
  return [...readers, ...listings, ...topic];
}

/** History counts `pos` from 1 without gaps, so a reader whose `pos` do the same from its first on saw history's order. */
function consecutivePositions(events: readonly ChannelEvent[], where: string): Violation[] {
  const positions = created(events).flatMap(({ pos }) => pos ?? []);
  return consecutive(positions, (positions[0] ?? 1) - 1, `${where} (pos)`);
}

/** Each number one above the one before, the first one above `after`. */
function consecutive(numbers: readonly number[], after: number, where: string, gap: 'G4' | 'G6' = 'G4'): Violation[] {
  return numbers.flatMap((number, index): Violation[] => {
    const before = numbers[index - 1] ?? after;
    if (number === before + 1) return [];
    const detail = `${number} after ${before}`;
    return number > before + 1 ? [{ guarantee: gap, kind: 'gap', where, detail }] : [{ guarantee: 'G3', kind: 'reordered', where, detail }];
  });
}

/** G3: under one number all places know the very same event. */
function agreeing(seen: Observations): Violation[] {
  const bySeq = new Map(seen.log.map(({ event }) => [event.seq, event]));
  const copies = [...seen.readers, ...(seen.topic ? [{ name: 'topic', events: eventsOf(seen.topic) }] : [])];
  return copies.flatMap(({ name, events }) =>
    events
      .filter((event) => bySeq.has(event.seq) && !isDeepStrictEqual(event, bySeq.get(event.seq)))
      .map(({ seq }): Violation => ({ guarantee: 'G3', kind: 'differs', where: name, detail: `event ${seq}` })),
  );
}

/** G6: Postgres holds exactly the events up to `drained_seq`, all there are, and its tables and listings are their fold. */
function prefix(seen: Observations): Violation[] {
  const seqs = seen.log.map(({ event }) => event.seq);
  const log = consecutive(seqs, 0, 'event_log', 'G6');
  const expected = foldMessages(eventsOf(seen.log));
  const history = seen.listings.flatMap(({ messages }) => messages);
  return [...log, ...ends(seen, seqs.at(-1) ?? 0), ...differences(expected, seen.stored, 'G6', 'postgres'), ...differences(expected, history, 'G6', 'history')];
}

function* ends({ drained_seq, head }: Observations, logged: number): Generator<Violation> {
  if (logged !== drained_seq) yield { guarantee: 'G6', kind: 'differs', where: 'conversation_logs', detail: `drained_seq ${drained_seq}, log to ${logged}` };
  if (drained_seq !== head) yield { guarantee: 'G6', kind: 'undrained', where: 'postgres', detail: `${drained_seq} of ${head}` };
}

/** G7: the index is the fold of its topic, or of the log where no broker runs. */
function derived(seen: Observations): Violation[] {
  return differences(foldIndex(seen.topic ? takenOver(seen.topic) : eventsOf(seen.log)), seen.index, 'G7', 'index');
}

function differences<Row extends { readonly id: string }>(
  expected: ReadonlyMap<string, Row>,
  actual: readonly Row[],
  guarantee: 'G6' | 'G7',
  where: string,
): Violation[] {
  const rows = new Map(actual.map((row) => [row.id, row]));
  const missing = [...expected.keys()].filter((id) => !rows.has(id));
  const extra = actual.filter(({ id }) => !expected.has(id));
  const altered = actual.filter((row) => expected.has(row.id) && !isDeepStrictEqual(row, expected.get(row.id)));
  return [
    ...missing.map((id) => ({ guarantee, kind: 'lost', where, detail: id }) as const),
    ...extra.map(({ id }) => ({ guarantee, kind: 'ghost', where, detail: id }) as const),
    ...altered.map(({ id }) => ({ guarantee, kind: 'differs', where, detail: id }) as const),
  ];
}
