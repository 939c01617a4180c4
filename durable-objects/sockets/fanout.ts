import { closeReason, closeRule, type CloseCode } from '../../protocol/close-codes.ts';
import { HEARTBEAT_SECONDS, MAX_FRAME_EVENTS, SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { ArchivedChunk } from '../log/archive.ts';
import { accepts, acknowledge, advance, credit, cursorAt, type Cursor } from './cursor.ts';
import { eventsFrame } from './frames.ts';
import { Pace } from './pace.ts';
import { reconnectWindowMs } from './reconnect-window.ts';
import type { Actor } from './actor-api.ts';

/** Bytes of events in one frame; one event may exceed it. */
export const FRAME_BYTES = 256 * 1024;
const SILENT_MS = 3 * HEARTBEAT_SECONDS * 1_000;
/** Half a window: a pass never takes the whole credit of a socket that keeps up. What has gathered so much waits no longer. */
const GATHERED_EVENTS = SOCKET_WINDOW_EVENTS / 2;
const GATHERED_BYTES = SOCKET_WINDOW_BYTES / 2;

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
  /** It was behind when something was told (`tell`). */
  readonly missed: boolean;
  /** It was told that its credential is about to end. */
  readonly noticed: boolean;
  /** Of an inbox: whether the user is idle at this device, and when the socket came or last said so, in epoch milliseconds. Null in rooms. */
  readonly activity: Activity | null;
}

export interface Activity {
  readonly idle: boolean;
  readonly at: number;
}

/** The record of a socket that begins after `seq`. */
export const freshRecord = (who: Pick<SocketRecord, 'session' | 'actor' | 'epoch'>, seq: number): SocketRecord => ({
  ...who, cursor: cursorAt(seq), settled: true, watching: false, missed: false, noticed: false, activity: null,
});

export interface RoomSocket {
  /** May throw when the socket is closing. */
  send(frame: string): void;
  close(code: CloseCode, reason: string): void;
  /** Keeps the record with the socket, for a later instance of the room. */
  save(record: SocketRecord): void;
}

/** The newest events of a log, as they are at hand: the log itself, or a part of it that is kept elsewhere. Events before `firstSeq` are older. */
export interface FanoutLog {
  readonly state: { readonly epoch: number; readonly seq: number; readonly firstSeq: number };
  retains(seq: number): boolean;
  /** As `EventLog.since`. */
  since(seq: number, maxEvents: number, maxBytes: number): readonly LogEvent[];
}

/** The events that are not at hand. */
export interface OlderEvents {
  /** As `Archive.read`. */
  read(after: number, before: number, maxEvents: number, maxBytes: number): Promise<ArchivedChunk | null>;
}

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

interface Reader {
  record: SocketRecord;
  /** When its client last sent anything but a ping, or came. Null: this instance has heard nothing of it, and found it at `since`. */
  heardAt: number | null;
  readonly since: number;
  /** A read of older events is under way for it. */
  reading: boolean;
}

/**
 * Sockets as cursors over the log. What is appended is published by passes over all sockets: at once in a quiet room, gathered in a busy one
 * (`Pace`). A socket at the published head whose window has credit gets the live frame, encoded once for all. Any other is behind, and is
 * served from the log, up to that head, whenever an ack gives credit; so one that does not read costs nobody else anything.
 *
 * Never a gap, never twice (G3, G4): a frame goes only to a socket whose `sent` is `from - 1`, and `sent` moves with it. Across
 * hibernation `sent` comes back from the socket's record. It is not written at every frame: the first frame after quiet marks the record
 * as unsettled, and `settle` writes it again when it is quiet. An instance that finds an unsettled record (its predecessor was lost in
 * the middle of sending) cannot know what was sent, unless that is everything: it closes the socket with 1012, and the client, which knows
 * what it has read, resumes at its own `(epoch, seq)`.
 */
export class Fanout<S extends RoomSocket> {
  readonly #log: FanoutLog;
  readonly #older: OlderEvents;
  readonly #ports: FanoutPorts<S>;
  readonly #readers = new Map<S, Reader>();
  readonly #unsettled = new Set<S>();
  readonly #pace = new Pace();
  /** The last event of the last pass. What follows it in the log is in `#gathered`. */
  #published: number;
  #gathered: LogEvent[] = [];
  #gatheredBytes = 0;
  #reads = 0;
  /** When the pause after the last pass ends, in epoch milliseconds; null: there is none. */
  #pausedUntil: number | null = null;

  constructor(log: FanoutLog, older: OlderEvents, ports: FanoutPorts<S>) {
    this.#log = log;
    this.#published = log.state.seq;
    this.#older = older;
    this.#ports = ports;
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Whether older events are being read for any socket. */
  get isReading(): boolean {
    return this.#reads > 0;
  }

  /** How long what is published now is gathered, in milliseconds. */
  get pause(): number {
    return this.#pausedUntil === null ? 0 : Math.max(0, this.#pausedUntil - this.#ports.clock());
  }

  record(socket: S): SocketRecord | undefined {
    return this.#readers.get(socket)?.record;
  }

  /** Serves a new socket from its cursor on. */
  join(socket: S, record: SocketRecord): void {
    this.#readers.set(socket, { record, heardAt: this.#ports.clock(), since: this.#ports.clock(), reading: false });
    socket.save(record);
    this.#pump(socket);
  }

  /** Takes over a socket of an earlier instance, one of `among`, or closes it where its place cannot be known. */
  adopt(socket: S, record: SocketRecord, among = 1): void {
    const { epoch, seq } = this.#log.state;
    const reader = { record, heardAt: null, since: this.#ports.clock(), reading: false };
    this.#readers.set(socket, reader);
    if (record.epoch !== epoch) return this.#dismiss(socket, 4009, 'the epoch has changed', among);
    if (record.cursor.sent > seq || (!record.settled && record.cursor.sent < seq)) return this.#dismiss(socket, 1012, 'the room was restarted', among);
    if (!record.settled) this.#save(socket, reader, true);
    this.#pump(socket);
  }

  leave(socket: S): void {
    this.#readers.delete(socket);
    this.#unsettled.delete(socket);
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

  each(visit: (socket: S) => void): void {
    for (const socket of this.#readers.keys()) visit(socket);
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
      const ping = lastPing(socket);
      const heard = heardAt ?? (ping === 0 ? since : 0);
      if (Math.max(heard, ping) < silentSince) this.close(socket, 1001, 'no heartbeat');
    }
  }

  /** Events just committed, in order, the last of which is the head. Those of a busy room leave later, and together. */
  publish(events: readonly LogEvent[]): void {
    this.#gathered.push(...events);
    this.#gatheredBytes += size(events);
    if (this.#pausedUntil === null || this.#gathered.length >= GATHERED_EVENTS || this.#gatheredBytes >= GATHERED_BYTES) this.#pass();
  }

  /** The log went on, and its events are not at hand: all sockets are behind, and are served what is older. */
  skipped(): void {
    [this.#gathered, this.#gatheredBytes, this.#published] = [[], 0, this.#log.state.seq];
    for (const socket of this.#readers.keys()) this.#pump(socket);
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
    if (this.#readers.has(socket)) this.#give(socket, frame);
  }

  /** The same to all; how many there are. */
  sayAll(frame: string): number {
    for (const socket of this.#readers.keys()) this.#give(socket, frame);
    return this.#readers.size;
  }

  /** Keeps something else with the socket. */
  amend(socket: S, changed: Partial<Pick<SocketRecord, 'actor' | 'noticed' | 'watching' | 'activity'>>): void {
    const reader = this.#readers.get(socket);
    if (reader !== undefined) this.#change(socket, reader, changed);
  }

  /** `unsent`: the socket claims to have read what it was not sent. `old`: it says nothing new. */
  acknowledge(socket: S, seq: number): 'advanced' | 'old' | 'unsent' {
    const reader = this.#readers.get(socket);
    if (reader === undefined) return 'old';
    const cursor = acknowledge(reader.record.cursor, seq);
    if (cursor === null) return 'unsent';
    if (cursor === reader.record.cursor) return 'old';
    this.#move(socket, cursor);
    this.#pump(socket);
    return 'advanced';
  }

  /** Writes the records of all sockets that were sent to. */
  settle(): void {
    for (const socket of this.#unsettled) {
      const reader = this.#readers.get(socket);
      if (reader !== undefined) this.#save(socket, reader, true);
    }
    this.#unsettled.clear();
  }

  #dismiss(socket: S, code: CloseCode, reason: string, among: number): void {
    this.close(socket, code, closeRule(code).reconnect ? closeReason(reason, reconnectWindowMs(among)) : reason);
  }

  #pass(): void {
    const events = this.#gathered;
    if (events.length === 0) return;
    [this.#gathered, this.#gatheredBytes] = [[], 0];
    for (const part of parts(events)) this.#broadcast(part);
    this.#pause(events.length * this.#readers.size);
  }

  #pause(deliveries: number): void {
    const ms = this.#pace.pauseAfter(deliveries, this.#ports.clock());
    if (ms < 1 || this.#pausedUntil !== null) return;
    this.#pausedUntil = this.#ports.clock() + ms;
    this.#ports.schedule(ms, () => {
      this.#pausedUntil = null;
      this.#pass();
    });
  }

  #broadcast(events: readonly LogEvent[]): void {
    this.#published = events.at(-1)?.seq ?? this.#published;
    if (this.#readers.size === 0) return;
    const [from, to, bytes] = [events.at(0)?.seq ?? 0, events.at(-1)?.seq ?? 0, size(events)];
    const frame = eventsFrame(this.#log.state.epoch, from, to, events);
    for (const [socket, { record }] of this.#readers) {
      const { sent } = record.cursor;
      if (sent === from - 1 && accepts(record.cursor, events.length, bytes)) this.#send(socket, frame, to, bytes);
      // It began ahead of what was published here, within these events.
      else if (sent >= from && sent < to) this.#pump(socket);
    }
  }

  /** Sends what the socket's credit allows of what it has not got. */
  #pump(socket: S): void {
    for (let reader = this.#readers.get(socket); reader !== undefined && !reader.reading; reader = this.#readers.get(socket)) {
      const { cursor } = reader.record;
      if (cursor.sent >= this.#published || !accepts(cursor, 1, 1)) return this.#noteCaughtUp(socket, reader);
      if (!this.#log.retains(cursor.sent + 1)) return void this.#pumpArchived(socket, reader);
      const left = credit(cursor);
      const most = Math.min(MAX_FRAME_EVENTS, left.events, this.#published - cursor.sent);
      const events = this.#log.since(cursor.sent, most, Math.min(FRAME_BYTES, left.bytes));
      if (events.length === 0) return;
      this.#sendPart(socket, cursor.sent + 1, cursor.sent + events.length, events);
    }
  }

  #tellOne(socket: S, reader: Reader, frame: string): void {
    const { actor, missed } = reader.record;
    if (actor.expires_at <= this.#ports.clock()) return this.close(socket, 4001, 'the credential has expired');
    if (!this.#keepsUp(reader)) return missed ? undefined : this.#change(socket, reader, { missed: true });
    this.#give(socket, frame);
  }

  #keepsUp({ record: { cursor } }: Reader): boolean {
    return cursor.sent >= this.#published && accepts(cursor, 1, 1);
  }

  #noteCaughtUp(socket: S, reader: Reader): void {
    if (!reader.record.missed || !this.#keepsUp(reader)) return;
    this.#change(socket, reader, { missed: false });
    this.#ports.caughtUp(socket);
  }

  async #pumpArchived(socket: S, reader: Reader): Promise<void> {
    reader.reading = true;
    this.#reads += 1;
    const after = reader.record.cursor.sent;
    const left = credit(reader.record.cursor);
    const chunk = await this.#older.read(after, this.#log.state.firstSeq, Math.min(MAX_FRAME_EVENTS, left.events), FRAME_BYTES);
    reader.reading = false;
    this.#reads -= 1;
    if (this.#readers.get(socket) !== reader) return;
    if (chunk === null) return this.close(socket, 1012, 'older events cannot be read now');
    this.#sendPart(socket, after + 1, chunk.to, chunk.events);
    this.#pump(socket);
  }

  #sendPart(socket: S, from: number, to: number, events: readonly LogEvent[]): void {
    this.#send(socket, eventsFrame(this.#log.state.epoch, from, to, events), to, size(events));
  }

  #send(socket: S, frame: string, to: number, bytes: number): void {
    const reader = this.#readers.get(socket);
    if (reader === undefined) return;
    if (reader.record.actor.expires_at <= this.#ports.clock()) return this.close(socket, 4001, 'the credential has expired');
    this.#move(socket, advance(reader.record.cursor, to, bytes));
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

  #move(socket: S, cursor: Cursor): void {
    const reader = this.#readers.get(socket);
    if (reader === undefined) return;
    reader.record = { ...reader.record, cursor };
    if (this.#unsettled.size === 0) this.#ports.unsettled();
    if (this.#unsettled.has(socket)) return;
    this.#unsettled.add(socket);
    this.#save(socket, reader, false);
  }

  #save(socket: S, reader: Reader, settled: boolean): void {
    this.#change(socket, reader, { settled });
  }

  #change(socket: S, reader: Reader, changed: Partial<SocketRecord>): void {
    reader.record = { ...reader.record, ...changed };
    socket.save(reader.record);
  }
}

const size = (events: readonly LogEvent[]): number => events.reduce((bytes, event) => bytes + event.bytes, 0);

/** Cuts events into frames of bounded size. */
function* parts(events: readonly LogEvent[]): Generator<readonly LogEvent[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, event] of events.entries()) {
    if (index > start && (index - start >= MAX_FRAME_EVENTS || bytes + event.bytes > FRAME_BYTES)) {
      yield events.slice(start, index);
      [start, bytes] = [index, 0];
    }
    bytes += event.bytes;
  }
  if (start < events.length) yield events.slice(start);
}
