import type { CloseCode } from '../../protocol/close-codes.ts';
import type { Actor } from './actor-api.ts';
import { cursorAt, type Cursor } from './cursor.ts';

/**
 * What a socket carries through hibernation. `settled`: `cursor` is exactly what was sent to it. While frames go out the cursor runs
 * ahead of the record, which then says so.
 */
export interface SocketRecord {
  readonly session: string;
  readonly actor: Actor;
  readonly epoch: number;
  readonly cursor: Cursor;
  readonly settled: boolean;
  /** It is told who is present. */
  readonly watching: boolean;
  /** It has begun to look who is present, and was not told all of it yet. */
  readonly owed: boolean;
  /** It was behind when something was told (`Fanout.tell`). */
  readonly missed: boolean;
  /** It was told that its credential is about to end. */
  readonly noticed: boolean;
  /** Of an inbox: whether the user is idle at this device, and when the socket came or last said so, in epoch milliseconds. Null in rooms. */
  readonly activity: Activity | null;
  /** Of an inbox: what the device shows; null: no channel. */
  readonly viewing: Viewing | null;
}

/** The newest messages of a channel, and of a thread of it; `at`: since when, in epoch milliseconds. */
export interface Viewing {
  readonly channel_id: string;
  readonly thread_id: string | null;
  readonly at: number;
}

export interface Activity {
  readonly idle: boolean;
  readonly at: number;
}

/** The record of a socket that begins after `seq`. */
export const freshRecord = (who: Pick<SocketRecord, 'session' | 'actor' | 'epoch'>, seq: number): SocketRecord => ({
  ...who, cursor: cursorAt(seq), settled: true, watching: false, owed: false, missed: false, noticed: false, activity: null, viewing: null,
});

export interface RoomSocket {
  /** May throw when the socket is closing. */
  send(frame: string): void;
  close(code: CloseCode, reason: string): void;
  /** Keeps the record with the socket, for a later instance of the room. */
  save(record: SocketRecord): void;
}
