import { Acks, type AckWindow } from '../../client/acks.ts';
import { backoffMs } from '../../client/backoff.ts';
import { systemClock } from '../../client/ports.ts';
import { reconnectWindow } from '../../protocol/close-codes.ts';
import { type CrowdSocket, openCrowdSocket, RefusedSocket } from './crowd-socket.ts';
import { ServerClosed } from './event-frames.ts';
import { readStamps } from './timestamps.ts';

export interface MemberOptions {
  readonly port: number;
  /** Without a query. */
  readonly path: string;
  readonly token: string;
  readonly deflate: boolean;
  /** Reads the text of events, for when they were sent. */
  readonly sampled: boolean;
  /** `room`: events come in order, are acknowledged, and are resumed after a loss. `gateway`: none of that is known, who comes back begins anew. */
  readonly speaks: 'room' | 'gateway';
}

/** What a crowd is told by its members. */
export interface MemberEvents {
  delivered(count: number, stamps: readonly number[]): void;
  welcomed(how: 'new' | 'resumed' | 'reset'): void;
  /** A socket ended that is to come back. */
  lost(): void;
  /** A member cannot go on: it broke off for good, or found a gap. */
  failed(error: Error): void;
  other(text: string): void;
}

interface Welcome {
  readonly epoch: number;
  readonly seq: number;
  readonly head: number;
  readonly recovered: boolean;
  readonly next_ticket?: string;
  readonly limits: AckWindow;
}

/** One who listens. Of a room it keeps its place, acknowledges as the client SDK does, and comes back with full jitter where it was. */
export class CrowdMember {
  readonly #options: MemberOptions;
  readonly #events: MemberEvents;
  readonly #results = new Map<string, (result: string) => void>();
  readonly #opened = Promise.withResolvers<void>();
  #socket: CrowdSocket | null = null;
  #acks: Acks | null = null;
  #place: { epoch: number; seq: number } | null = null;
  #head = 0;
  #attempt = 0;
  #ticket: string | undefined;
  #received = 0;
  #isClosed = false;

  constructor(options: MemberOptions, events: MemberEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** In a room the `seq` it has read up to; else how many events it has read. */
  get position(): number {
    return this.#options.speaks === 'room' ? (this.#place?.seq ?? 0) : this.#received;
  }

  get isOpen(): boolean {
    return this.#socket !== null && this.#acks !== null;
  }

  /** Resolves at the first `welcome`. */
  open(): Promise<void> {
    this.#connect();
    return this.#opened.promise;
  }

  /** Resolves with the text of the result, or with a problem where the socket is lost before. */
  command(id: string, text: string): Promise<string> {
    if (!this.isOpen) return Promise.resolve(LOST);
    return new Promise((resolve) => {
      this.#results.set(id, resolve);
      this.#socket?.send(text);
    });
  }

  ping(): void {
    if (this.isOpen) this.#socket?.send('ping');
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }

  #connect(): void {
    const { port, path, token, deflate, sampled } = this.#options;
    const query = this.#place === null || this.#options.speaks === 'gateway' ? '' : `?epoch=${this.#place.epoch}&since=${this.#place.seq}`;
    const sink = { events: this.#take.bind(this), message: this.#message.bind(this) };
    this.#socket = openCrowdSocket({ port, path: path + query, token, ticket: this.#ticket, deflate, whole: sampled }, sink, (error) => this.#lost(error));
  }

  #lost(error: Error): void {
    if (this.#isClosed) return;
    [this.#socket, this.#acks] = [null, null];
    // As the client SDK: a ticket that somebody refused is used up, one that nobody took is not.
    if (error instanceof RefusedSocket) this.#ticket = undefined;
    for (const result of this.#results.values()) result(LOST);
    this.#results.clear();
    if (error instanceof GapError || this.#attempt >= MOST_ATTEMPTS) return this.#fail(error);
    this.#events.lost();
    systemClock.after(this.#waitMs(error), () => {
      if (!this.#isClosed) this.#connect();
    });
  }

  /** At a random moment of the window that the server named, else with full jitter. */
  #waitMs(error: Error): number {
    const within = error instanceof ServerClosed ? reconnectWindow(error.reason) : null;
    return within === null ? backoffMs('jitter', this.#attempt++, Math.random) : within * Math.random();
  }

  #fail(error: Error): void {
    this.#opened.reject(error);
    this.#events.failed(error);
  }

  #message(text: string): void {
    if (text.startsWith('{"type":"welcome"')) return this.#welcome(JSON.parse(text));
    if (!text.startsWith('{"type":"result"')) return this.#events.other(text);
    const id = /"re":"([^"]*)"/.exec(text)?.[1] ?? '';
    this.#results.get(id)?.(text);
    this.#results.delete(id);
  }

  #welcome(welcome: Welcome): void {
    const { epoch, seq, head, limits, recovered, next_ticket } = welcome;
    const how = this.#place === null ? 'new' : recovered && this.#place.epoch === epoch && this.#place.seq === seq ? 'resumed' : 'reset';
    [this.#place, this.#head, this.#attempt] = [{ epoch, seq }, head, 0];
    this.#ticket = next_ticket;
    const socket = this.#socket;
    this.#acks = new Acks(seq, limits, (read) => socket?.send(`{"type":"ack","seq":${read}}`));
    if (this.#options.speaks === 'room') socket?.send(`{"type":"ack","seq":${seq}}`);
    this.#opened.resolve();
    this.#events.welcomed(how);
  }

  #take(from: number, to: number, bytes: number, json: Buffer | null): void {
    this.#received += to - from + 1;
    if (this.#options.speaks === 'room') this.#follow(from, to, bytes);
    this.#events.delivered(to - from + 1, this.#options.sampled && json !== null ? readStamps(json) : []);
  }

  #follow(from: number, to: number, bytes: number): void {
    const place = this.#place;
    if (place === null || from !== place.seq + 1 || to < from) throw new GapError(`events ${from} to ${to} follow ${place?.seq ?? 'nothing'}`);
    place.seq = to;
    this.#acks?.received(to, bytes, to < this.#head);
  }
}

const MOST_ATTEMPTS = 12;
const LOST = '{"problem":"the socket was lost"}';

class GapError extends Error {}
