import { SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';

/** A part is complete with so many bytes; so there are at most eight, and a few frames more. */
const PART_BYTES = SOCKET_WINDOW_BYTES / 8;

/** Some events that were sent after one another, up to `to`. */
interface Part {
  readonly to: number;
  readonly bytes: number;
}

/**
 * A socket's place in the log: everything up to `sent` was sent to it, everything up to `acked` it has read. `unread` is what it has not read, in
 * parts; one that is read in part counts as unread.
 */
export interface Cursor {
  readonly sent: number;
  readonly acked: number;
  readonly unread: readonly Part[];
}

export const cursorAt = (seq: number): Cursor => ({ sent: seq, acked: seq, unread: [] });

/** What the window still takes. A socket that has read everything takes at least one event, however large. */
export function credit({ sent, acked, unread }: Cursor): { readonly events: number; readonly bytes: number } {
  return { events: SOCKET_WINDOW_EVENTS - (sent - acked), bytes: SOCKET_WINDOW_BYTES - unread.reduce((sum, { bytes }) => sum + bytes, 0) };
}

export function accepts(cursor: Cursor, events: number, bytes: number): boolean {
  if (cursor.sent === cursor.acked) return true;
  const left = credit(cursor);
  return events <= left.events && bytes <= left.bytes;
}

export function advance({ acked, unread }: Cursor, to: number, bytes: number): Cursor {
  const last = unread.at(-1);
  if (last === undefined || last.bytes >= PART_BYTES) return { sent: to, acked, unread: [...unread, { to, bytes }] };
  return { sent: to, acked, unread: [...unread.slice(0, -1), { to, bytes: last.bytes + bytes }] };
}

/** Null: the socket cannot have read what was not sent to it. An older ack says nothing new. */
export function acknowledge(cursor: Cursor, seq: number): Cursor | null {
  if (seq > cursor.sent) return null;
  if (seq <= cursor.acked) return cursor;
  return { sent: cursor.sent, acked: seq, unread: cursor.unread.filter(({ to }) => to > seq) };
}
