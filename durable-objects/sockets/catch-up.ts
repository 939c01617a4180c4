import { MAX_FRAME_EVENTS } from '../../protocol/limits.ts';
import type { LogEvent } from '../log/event-log.ts';
import { accepts, credit } from './cursor.ts';
import { FRAME_BYTES } from './event-frames.ts';
import type { FanoutLog, OlderEvents } from './fanout-log.ts';
import type { Reader, Readers } from './readers.ts';
import type { RoomSocket } from './socket-record.ts';

export interface CatchUpPorts<S> {
  /** The last event that was published. Nobody is served past it. */
  published(): number;
  /** Sends events, which cover all up to `to`, and moves the socket's cursor there; or the socket is gone after it. */
  send(socket: S, reader: Reader, to: number, events: readonly LogEvent[]): void;
  /** The older events that it needs cannot be read now. */
  stranded(socket: S): void;
  /** One that has missed what was told is at the head again. */
  caughtUp(socket: S): void;
}

/** Serves sockets that are behind from the log, as far as their credit goes: so one that does not read costs nobody else anything. */
export class CatchUp<S extends RoomSocket> {
  readonly #log: FanoutLog;
  readonly #older: OlderEvents;
  readonly #readers: Readers<S>;
  readonly #ports: CatchUpPorts<S>;
  #reads = 0;

  constructor(log: FanoutLog, older: OlderEvents, readers: Readers<S>, ports: CatchUpPorts<S>) {
    this.#log = log;
    this.#older = older;
    this.#readers = readers;
    this.#ports = ports;
  }

  /** Whether older events are being read for any socket. */
  get isReading(): boolean {
    return this.#reads > 0;
  }

  /** Whether it is at the published head, and its window has credit. */
  keepsUp({ record: { cursor } }: Reader): boolean {
    return cursor.sent >= this.#ports.published() && accepts(cursor, 1, 1);
  }

  /** Sends what the socket's credit allows of what it has not got. */
  pump(socket: S): void {
    for (let reader = this.#readers.get(socket); reader !== undefined && !reader.reading; reader = this.#readers.get(socket)) {
      const { cursor } = reader.record;
      if (cursor.sent >= this.#ports.published() || !accepts(cursor, 1, 1)) return this.#noteCaughtUp(socket, reader);
      if (!this.#log.retains(cursor.sent + 1)) return void this.#pumpOlder(socket, reader);
      const left = credit(cursor);
      const most = Math.min(MAX_FRAME_EVENTS, left.events, this.#ports.published() - cursor.sent);
      const events = this.#log.since(cursor.sent, most, Math.min(FRAME_BYTES, left.bytes));
      if (events.length === 0) return;
      this.#ports.send(socket, reader, cursor.sent + events.length, events);
    }
  }

  async #pumpOlder(socket: S, reader: Reader): Promise<void> {
    const { cursor } = reader.record;
    reader.reading = true;
    this.#reads += 1;
    const chunk = await this.#older.read(cursor.sent, this.#log.state.firstSeq, Math.min(MAX_FRAME_EVENTS, credit(cursor).events), FRAME_BYTES);
    reader.reading = false;
    this.#reads -= 1;
    if (this.#readers.get(socket) !== reader) return;
    if (chunk === null) return this.#ports.stranded(socket);
    this.#ports.send(socket, reader, chunk.to, chunk.events);
    this.pump(socket);
  }

  #noteCaughtUp(socket: S, reader: Reader): void {
    if (!reader.record.missed || !this.keepsUp(reader)) return;
    this.#readers.change(socket, reader, { missed: false });
    this.#ports.caughtUp(socket);
  }
}
