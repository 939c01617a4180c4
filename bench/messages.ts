import { uuidv7 } from 'uuidv7';
import type { LogRow } from '../db/queries/event-log.ts';
import { ceType } from '../protocol/topics.ts';
import type { OutboxEvent } from './queries.ts';

const KEYS = 200;

/** Messages of real people in 200 channels, as their rooms announce them; without end. */
export function* eventsOf(texts: readonly string[]): Generator<OutboxEvent, never> {
  const [keys, author] = [Array.from({ length: KEYS }, () => uuidv7()), uuidv7()];
  for (let n = 0; ; n += 1) {
    const [id, key, seq] = [uuidv7(), keys[n % KEYS] ?? '', 1 + Math.floor(n / KEYS)];
    const event = {
      type: 'message.created', seq, id, at: new Date().toISOString(), actor_id: author, message_id: id, client_msg_id: id,
      text: texts[n % texts.length], pos: seq, thread_id: null, tpos: null, origin: null,
    };
    yield { key, id, seq, data: JSON.stringify(event) };
  }
}

/** The same as the relay carries them. */
export function* messageRows(texts: readonly string[]): Generator<LogRow, never> {
  const events = eventsOf(texts);
  for (let position = 1; ; position += 1) {
    const { key, id, seq, data } = events.next().value;
    const at = new Date().toISOString();
    yield { position, topic: 'message.events', key, eventId: id, type: ceType('message.created'), channelSeq: String(seq), data, traceparent: null, at };
  }
}

export const take = <T>(items: Iterator<T, never>, count: number): T[] => Array.from({ length: count }, () => items.next().value);
