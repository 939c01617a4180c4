import { closeReason, closeRule, type CloseCode } from '../../protocol/close-codes.ts';
import { HEARTBEAT_SECONDS } from '../../protocol/limits.ts';
import type { LogEvent } from '../log/event-log.ts';
import { CatchUp } from './catch-up.ts';
import { accepts, acknowledge, advance } from './cursor.ts';
import { bytesOf, eventsFrame } from './event-frames.ts';
import type { FanoutLog, OlderEvents } from './fanout-log.ts';
import { Passes } from './passes.ts';
import { type Reader, Readers } from './readers.ts';
import { reconnectWindowMs } from './reconnect-window.ts';
import type { RoomSocket, SocketRecord } from './socket-record.ts';

const SILENT_MS = 3 * HEARTBEAT_SECONDS * 1_000;

export interface FanoutPorts<S> {
  clock(): number;
  /** Runs `task` once, `ms` later. */
  schedule(ms: number, task: () => void): void;
  /** Sockets have been sent to since their records were saved: call `settle` within a second or so. */
  unsettled(): void;
  /** It was closed here, and is gone already; `record` is what it had. */
  closed(socket: S, code: CloseCode, record: SocketRecord | undefined): void;
  /** A socket that has missed what was told is at the head again: tell it the state anew. */
  caughtUp(socket: S): void;
}

/**
 * Sockets as cursors over the log. What is appended is published by passes over all sockets (`Passes`). A socket at the published head whose window has
 * credit gets the live frame, encoded once for all. Any other is behind, and is served from the log, up to that head, whenever an ack gives
 * credit (`CatchUp`).
 *
 * Never a gap, never twice (G3, G4): a frame goes only to a socket whose `sent` is `from - 1`, and `sent` moves with it. Across
 * hibernation `sent` comes back from the socket's record (`Readers`). An instance that finds an unsettled record (its predecessor was lost in
 * the middle of sending) cannot know what was sent, unless that is everything: it closes the socket with 1012, and the client, which knows
 * what it has read, resumes at its own `(epoch, seq)`.
 */
export class Fanout<S extends RoomSocket> {
  readonly #log: FanoutLog;
  readonly #ports: FanoutPorts<S>;
  readonly #readers: Readers<S>;
  readonly #passes: Passes;
  readonly #catchUp: CatchUp<S>;

  constructor(log: FanoutLog, older: OlderEvents, ports: FanoutPorts<S>) {
    this.#log = log;
    this.#ports = ports;
    this.#readers = new Readers(() => ports.unsettled());
    this.#passes = new Passes(log.state.seq, {
      clock: () => ports.clock(),
      schedule: (ms, task) => ports.schedule(ms, task),
      sockets: () => this.#readers.size,
      broadcast: (events) => this.#broadcast(events),
    });
    this.#catchUp = new CatchUp(log, older, this.#readers, {
      published: () => this.#passes.published,
      send: (socket, reader, to, events) => this.#sendPart(socket, reader, to, events),
      stranded: (socket) => this.close(socket, 1012, 'older events cannot be read now'),
      caughtUp: (socket) => ports.caughtUp(socket),
    });
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Whether older events are being read for any socket. */
  get isReading(): boolean {
    return this.#catchUp.isReading;
  }

  /** How long what is published now is gathered, in milliseconds. */
  get pause(): number {
    return this.#passes.pause;
  }

  record(socket: S): SocketRecord | undefined {
    return this.#readers.get(socket)?.record;
  }

  /** Serves a new socket from its cursor on. */
  join(socket: S, record: SocketRecord): void {
    const now = this.#ports.clock();
    this.#readers.add(socket, { record, heardAt: now, since: now, reading: false });
    socket.save(record);
    this.#catchUp.pump(socket);
  }

  /** Takes over a socket of an earlier instance, one of `among`, or closes it where its place cannot be known. */
  adopt(socket: S, record: SocketRecord, among = 1): void {
    const { epoch, seq } = this.#log.state;
    const reader: Reader = { record, heardAt: null, since: this.#ports.clock(), reading: false };
    this.#readers.add(socket, reader);
    if (record.epoch !== epoch) return this.#dismiss(socket, 4009, 'the epoch has changed', among);
    if (record.cursor.sent > seq || (!record.settled && record.cursor.sent < seq)) return this.#dismiss(socket, 1012, 'the room was restarted', among);
    if (!record.settled) this.#readers.change(socket, reader, { settled: true });
    this.#catchUp.pump(socket);
  }

  leave(socket: S): void {
    this.#readers.remove(socket);
  }

  close(socket: S, code: CloseCode, reason: string): void {
    const record = this.record(socket);
    this.leave(socket);
    this.#ports.closed(socket, code, record);
    socket.close(code, reason);
  }

  /** Closes the sockets whose record matches. Those that may come back do so within a window that grows with their number. */
  closeWhere(matches: (record: SocketRecord) => boolean, code: CloseCode, reason: string): void {
    const sockets = [...this.#readers].filter(([, { record }]) => matches(record));
    for (const [socket] of sockets) this.#dismiss(socket, code, reason, sockets.length);
  }

  /** How many sockets the user has. */
  countOf(userId: string): number {
    return this.#readers.countOf(userId);
  }

  each(visit: (socket: S) => void): void {
    for (const [socket] of this.#readers) visit(socket);
  }

  heard(socket: S): void {
    const reader = this.#readers.get(socket);
    if (reader !== undefined) reader.heardAt = this.#ports.clock();
  }

  /**
   * Closes the sockets that have been silent for three heartbeats. `lastPing` in epoch milliseconds; 0: none was seen. The platform keeps it through
   * hibernation, so one that was found is judged by it alone, where it has ever pinged.
   */
  reap(lastPing: (socket: S) => number): void {
    const silentSince = this.#ports.clock() - SILENT_MS;
    for (const [socket, { heardAt, since }] of this.#readers) {
      if (heardAt !== null && heardAt >= silentSince) continue;
      const ping = lastPing(socket);
      const heard = heardAt ?? (ping === 0 ? since : 0);
      if (Math.max(heard, ping) < silentSince) this.close(socket, 1001, 'no heartbeat');
    }
  }

  /** Events just committed, in order, the last of which is the head. Those of a busy room leave later, and together. */
  publish(events: readonly LogEvent[]): void {
    this.#passes.publish(events);
  }

  /** The log went on, and its events are not at hand: all sockets are behind, and are served what is older. */
  skipped(): void {
    this.#passes.skipTo(this.#log.state.seq);
    for (const [socket] of this.#readers) this.#catchUp.pump(socket);
  }

  /**
   * Sends what is state and no event, such as who is typing: once, and only to sockets that keep up. One that is behind is told the state when it has
   * caught up. `frameFor` null: nothing for this socket.
   */
  tell(frameFor: (record: SocketRecord) => string | null): void {
    for (const [socket, reader] of this.#readers) {
      const frame = frameFor(reader.record);
      if (frame !== null) this.#tellOne(socket, reader, frame);
    }
  }

  /** The same to one socket. */
  tellSocket(socket: S, frame: string): void {
    const reader = this.#readers.get(socket);
    if (reader !== undefined) this.#tellOne(socket, reader, frame);
  }

  /** Sends what a socket has to know however far behind it is. */
  say(socket: S, frame: string): void {
    if (this.#readers.get(socket) !== undefined) this.#give(socket, frame);
  }

  /** The same to all; how many there are. */
  sayAll(frame: string): number {
    for (const [socket] of this.#readers) this.#give(socket, frame);
    return this.#readers.size;
  }

  /** Keeps something else with the socket. */
  amend(socket: S, changed: Partial<Pick<SocketRecord, 'actor' | 'noticed' | 'watching' | 'owed' | 'activity' | 'viewing'>>): void {
    const reader = this.#readers.get(socket);
    if (reader !== undefined) this.#readers.change(socket, reader, changed);
  }

  /** `unsent`: the socket claims to have read what it was not sent. `old`: it says nothing new. */
  acknowledge(socket: S, seq: number): 'advanced' | 'old' | 'unsent' {
    const reader = this.#readers.get(socket);
    if (reader === undefined) return 'old';
    const cursor = acknowledge(reader.record.cursor, seq);
    if (cursor === null) return 'unsent';
    if (cursor === reader.record.cursor) return 'old';
    this.#readers.move(socket, reader, cursor);
    this.#catchUp.pump(socket);
    return 'advanced';
  }

  /** Writes the records of all sockets that were sent to. */
  settle(): void {
    this.#readers.settle();
  }

  #dismiss(socket: S, code: CloseCode, reason: string, among: number): void {
    this.close(socket, code, closeRule(code).reconnect ? closeReason(reason, reconnectWindowMs(among)) : reason);
  }

  #broadcast(events: readonly LogEvent[]): void {
    if (this.#readers.size === 0) return;
    const [from, to, bytes] = [events.at(0)?.seq ?? 0, events.at(-1)?.seq ?? 0, bytesOf(events)];
    const frame = eventsFrame(this.#log.state.epoch, from, to, events);
    for (const [socket, reader] of this.#readers) {
      const { cursor } = reader.record;
      if (cursor.sent === from - 1 && accepts(cursor, events.length, bytes)) this.#send(socket, reader, frame, to, bytes);
      // It began ahead of what was published here, within these events.
      else if (cursor.sent >= from && cursor.sent < to) this.#catchUp.pump(socket);
    }
  }

  #sendPart(socket: S, reader: Reader, to: number, events: readonly LogEvent[]): void {
    this.#send(socket, reader, eventsFrame(this.#log.state.epoch, reader.record.cursor.sent + 1, to, events), to, bytesOf(events));
  }

  /** `frame` begins behind the socket's cursor and goes up to `to`. */
  #send(socket: S, reader: Reader, frame: string, to: number, bytes: number): void {
    if (reader.record.actor.expires_at <= this.#ports.clock()) return this.close(socket, 4001, 'the credential has expired');
    this.#readers.move(socket, reader, advance(reader.record.cursor, to, bytes));
    this.#give(socket, frame);
  }

  #tellOne(socket: S, reader: Reader, frame: string): void {
    const { actor, missed } = reader.record;
    if (actor.expires_at <= this.#ports.clock()) return this.close(socket, 4001, 'the credential has expired');
    if (!this.#catchUp.keepsUp(reader)) return missed ? undefined : this.#readers.change(socket, reader, { missed: true });
    this.#give(socket, frame);
  }

  #give(socket: S, frame: string): void {
    try {
      socket.send(frame);
    } catch {
      // It is closing; its close event may be lost, so nothing waits for it.
      this.leave(socket);
    }
  }
}
