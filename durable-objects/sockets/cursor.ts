import { SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';

/**
 * A socket's place in the log: everything up to `sent` was sent to it, everything up to `acked` it has read. `bytes` is at least what
 * it has not read; it is exact whenever `acked` catches up with `sent`, or passes `mark`.
 */
export interface Cursor {
  readonly sent: number;
  readonly acked: number;
  readonly bytes: number;
  readonly mark: number;
  readonly bytesAfterMark: number;
}

export const cursorAt = (seq: number): Cursor => ({ sent: seq, acked: seq, bytes: 0, mark: seq, bytesAfterMark: 0 });

/** What the window still takes. A socket that has read everything takes at least one event, however large. */
export function credit(cursor: Cursor): { readonly events: number; readonly bytes: number } {
  return { events: SOCKET_WINDOW_EVENTS - (cursor.sent - cursor.acked), bytes: SOCKET_WINDOW_BYTES - cursor.bytes };
}

export function accepts(cursor: Cursor, events: number, bytes: number): boolean {
  if (cursor.sent === cursor.acked) return true;
  const left = credit(cursor);
  return events <= left.events && bytes <= left.bytes;
}

export function advance(cursor: Cursor, to: number, bytes: number): Cursor {
  return { ...cursor, sent: to, bytes: cursor.bytes + bytes, bytesAfterMark: cursor.bytesAfterMark + bytes };
}

/** Null: the socket cannot have read what was not sent to it. An older ack says nothing new. */
export function acknowledge(cursor: Cursor, seq: number): Cursor | null {
  if (seq > cursor.sent) return null;
  if (seq <= cursor.acked) return cursor;
  if (seq === cursor.sent) return cursorAt(seq);
  if (seq < cursor.mark) return { ...cursor, acked: seq };
  return { sent: cursor.sent, acked: seq, bytes: cursor.bytesAfterMark, mark: cursor.sent, bytesAfterMark: 0 };
}
