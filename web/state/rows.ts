import type { OutboxEntry } from '../../client/outbox.ts';
import type { Message } from '../../protocol/api.ts';

/** Messages of one author this close together share a heading. */
const GROUP_MS = 5 * 60_000;

export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | { readonly kind: 'new'; readonly key: string }
  | { readonly kind: 'message'; readonly key: string; readonly message: Message; readonly isGrouped: boolean }
  | { readonly kind: 'pending'; readonly key: string; readonly entry: OutboxEntry; readonly isGrouped: boolean };

/** When a message was said, in epoch milliseconds: for an imported one, where it was said first. */
export function saidAt({ origin, created_at }: Pick<Message, 'origin' | 'created_at'>): number {
  const original = origin ? Date.parse(origin.sent_at) : NaN;
  return Number.isNaN(original) ? Date.parse(created_at) : original;
}

/** One key a person: an imported author is another person than the one who imported. */
export const authorKey = ({ origin, author_id }: Pick<Message, 'origin' | 'author_id'>): string =>
  origin ? `${origin.source}/${origin.author}` : author_id;

/**
 * The rows of a list: messages and what is still being sent, with a separator a day and one before the first message after position
 * `newAfter` that is not by `me`. A message keeps the key it had while it was being sent.
 */
export function buildRows(messages: readonly Message[], pending: readonly OutboxEntry[], me: string, newAfter: number | null): Row[] {
  const rows: Row[] = [];
  let previous: { author: string; at: number } | null = null;
  // What is not loaded cannot be marked: the first new message may be older than the first row.
  let isNewShown = newAfter === null || (messages[0]?.pos ?? 0) > newAfter + 1;
  const startDay = (at: number): void => {
    if (!previous || dayOf(previous.at) !== dayOf(at)) rows.push({ kind: 'day', key: `day ${rows.length}`, at });
  };
  const joinsGroup = (author: string, at: number): boolean => {
    const last = rows.at(-1)?.kind;
    const joins = last !== 'day' && last !== 'new' && previous?.author === author && Math.abs(at - previous.at) < GROUP_MS;
    previous = { author, at };
    return joins;
  };
  for (const message of messages) {
    startDay(saidAt(message));
    if (!isNewShown && (message.pos ?? 0) > (newAfter ?? 0) && (message.author_id !== me || message.origin)) {
      rows.push({ kind: 'new', key: 'new' });
      isNewShown = true;
    }
    const isGrouped = joinsGroup(authorKey(message), saidAt(message));
    rows.push({ kind: 'message', key: `${message.author_id} ${message.client_msg_id}`, message, isGrouped });
  }
  for (const entry of pending) {
    startDay(entry.queued_at);
    rows.push({ kind: 'pending', key: `${me} ${entry.client_msg_id}`, entry, isGrouped: joinsGroup(me, entry.queued_at) });
  }
  return rows;
}

/** The local calendar day. */
export function dayOf(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
