import { describe, expect, it } from 'vitest';
import type { OutboxEntry } from '../../client/outbox.ts';
import type { Message } from '../../protocol/api.ts';
import { type Row, buildRows, saidAt } from './rows.ts';

const NOON = new Date(2026, 10, 23, 12).getTime();
const MINUTE = 60_000;

function message(pos: number, author: string, minutes: number, origin: Message['origin'] = null): Message {
  return {
    id: `m${pos}`, channel_id: 'c', seq: pos, pos, thread_id: null, tpos: null, author_id: author, client_msg_id: `c${pos}`, text: 'x', origin,
    revision: 1, created_at: new Date(NOON + minutes * MINUTE).toISOString(), edited_at: null, deleted_at: null, reply_count: 0, reactions: [],
  };
}

function entry(id: string, minutes: number): OutboxEntry {
  return { client_msg_id: id, text: 'x', thread_id: null, queued_at: NOON + minutes * MINUTE, state: 'sending', seq: null, reason: null };
}

/** `m1` a message with its heading, `+m1` one grouped under the heading before it. */
function outline(rows: readonly Row[]): string[] {
  return rows.map((row) => {
    if (row.kind === 'message') return `${row.isGrouped ? '+' : ''}${row.message.id}`;
    if (row.kind === 'pending') return `${row.isGrouped ? '+' : ''}${row.entry.client_msg_id}`;
    return row.kind;
  });
}

describe('rows', () => {
  it('separate days, and group what one author says within five minutes', () => {
    const messages = [message(1, 'a', 0), message(2, 'a', 4), message(3, 'b', 5), message(4, 'b', 11), message(5, 'b', 24 * 60)];
    expect(outline(buildRows(messages, [], 'me', null))).toEqual(['day', 'm1', '+m2', 'm3', 'm4', 'day', 'm5']);
  });

  it('mark where new messages begin, with a heading after the mark', () => {
    const messages = [message(1, 'a', 0), message(2, 'a', 1), message(3, 'a', 2)];
    expect(outline(buildRows(messages, [], 'me', 1))).toEqual(['day', 'm1', 'new', 'm2', '+m3']);
    expect(outline(buildRows(messages, [], 'me', 3))).toEqual(['day', 'm1', '+m2', '+m3']);
  });

  it('mark nothing while the first new message is not among them', () => {
    expect(outline(buildRows([message(3, 'a', 0), message(4, 'a', 1)], [], 'me', 1))).toEqual(['day', 'm3', '+m4']);
    expect(outline(buildRows([message(2, 'a', 0), message(3, 'a', 1)], [], 'me', 1))).toEqual(['day', 'new', 'm2', '+m3']);
  });

  it('do not call new what one has written oneself', () => {
    const messages = [message(1, 'a', 0), message(2, 'me', 1), message(3, 'a', 2)];
    expect(outline(buildRows(messages, [], 'me', 1))).toEqual(['day', 'm1', 'm2', 'new', 'm3']);
  });

  it('end with what is on its way, under the key it keeps as a message', () => {
    const before = buildRows([message(1, 'me', 0)], [entry('c2', 1)], 'me', null);
    const after = buildRows([message(1, 'me', 0), message(2, 'me', 1)], [], 'me', null);
    expect(outline(before)).toEqual(['day', 'm1', '+c2']);
    expect(before.map(({ key }) => key)).toEqual(after.map(({ key }) => key));
  });

  it('tell imported authors apart, at the time of the original', () => {
    const irc = (author: string) => ({ source: 'irc', author, sent_at: '2004-12-25T09:14' });
    const messages = [message(1, 'bot', 0, irc('ann')), message(2, 'bot', 0, irc('ann')), message(3, 'bot', 0, irc('bob')), message(4, 'bot', 0)];
    expect(outline(buildRows(messages, [], 'me', null))).toEqual(['day', 'm1', '+m2', 'm3', 'day', 'm4']);
    expect(saidAt(message(1, 'bot', 0, { ...irc('ann'), sent_at: 'long ago' }))).toBe(NOON);
  });

  it('have keys of their own', () => {
    const messages = Array.from({ length: 50 }, (_, i) => message(i + 1, 'a', i * 60 * 24 * (i % 2 ? 1 : -1)));
    const keys = buildRows(messages, [entry('p', 0)], 'me', 10).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
