import { closeRule } from '../protocol/close-codes.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import type { CommandResult, ServerFrame } from '../protocol/frames.ts';
import { SUBPROTOCOL, TICKET_SUBPROTOCOL_PREFIX } from '../protocol/version.ts';
import { Acks } from './acks.ts';
import { backoffMs } from './backoff.ts';
import { PendingCommands, type SocketCommand } from './commands.ts';
import { ClosedError, ProblemError, isRetryable, retryAfterMs } from './errors.ts';
import type { Clock, OpenSocket, Random } from './ports.ts';
import { SocketLink } from './socket-link.ts';

/** A connection that stayed open this long has succeeded: the next back-off starts over. */
const STABLE_AFTER_MS = 10_000;

/** A place in a channel's log: everything up to `seq` is known. A cursor of another epoch says nothing. */
export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

/**
 *            start           welcome            lost
 *     idle ────────▶ connecting ────────▶ open ───────▶ waiting ──▶ connecting …
 *                        └── lost, or no ticket ────────▶ │
 *     any ── stop, or a close that rules out a new attempt ──▶ closed
 */
export type ConnectionState =
  | { readonly name: 'idle' | 'connecting' | 'open' }
  /** `retryAt` in epoch milliseconds. */
  | { readonly name: 'waiting'; readonly reason: string; readonly retryAt: number }
  /** `reason`: `stopped`, the name of a close code, or the code of a problem. */
  | { readonly name: 'closed'; readonly reason: string };

export interface ConnectionOptions {
  readonly url: URL;
  readonly since: Cursor | null;
  readonly openSocket: OpenSocket;
  /** A fresh single-use ticket, for where `openSocket` cannot authenticate by itself. */
  readonly ticket?: () => Promise<string>;
  /** Asked when the handshake fails, for browsers do not say why: throws the `ProblemError` that a new attempt would meet too. */
  readonly diagnose?: () => Promise<unknown>;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ConnectionListener {
  stateChanged(state: ConnectionState): void;
  /** The next events in order, each once. `cursor` is the place after them. */
  events(events: readonly ChannelEvent[], cursor: Cursor): void;
  /** What was known is void: read the channel again, then apply the events that follow `cursor`. */
  reset(cursor: Cursor): void;
}

/** The socket of one channel, kept through every loss: it resumes at its cursor and is told of each event once, in order (G3, G4). */
export class ChannelConnection {
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener;
  readonly #commands = new PendingCommands();
  #state: ConnectionState = { name: 'idle' };
  #cursor: Cursor | null;
  #head = 0;
  #attempt = 0;
  #link: SocketLink | null = null;
  #acks: Acks | null = null;
  #cancelTimer: () => void = () => {};
  /** Counts attempts begun, so that a ticket that arrives late opens nothing. */
  #generation = 0;

  constructor(options: ConnectionOptions, listener: ConnectionListener) {
    this.#options = options;
    this.#listener = listener;
    this.#cursor = options.since;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get cursor(): Cursor | null {
    return this.#cursor;
  }

  start(): void {
    if (this.#state.name !== 'idle' && this.#state.name !== 'closed') return;
    this.#attempt = 0;
    void this.#connect();
  }

  stop(): void {
    if (this.#state.name !== 'closed') this.#close('stopped');
  }

  /** The network or the page came back: attempt at once, or make sure that the socket still lives. */
  wake(): void {
    if (this.#state.name === 'waiting') void this.#connect();
    else this.#link?.probe();
  }

  /**
   * Sends a command and gives its result, through as many sockets as that takes. Throws `ProblemError` for a refusal, `ClosedError`
   * when the connection ends for good first, `QueueFullError` past 256 unanswered.
   */
  async command(command: SocketCommand): Promise<CommandResult> {
    if (this.#state.name === 'closed') throw new ClosedError(this.#state.reason);
    const { frame, result } = this.#commands.add(command);
    if (this.#state.name === 'open') this.#link?.send(frame);
    return result;
  }

  async #connect(): Promise<void> {
    this.#cancelTimer();
    this.#generation += 1;
    const generation = this.#generation;
    this.#setState({ name: 'connecting' });
    try {
      const ticket = await this.#options.ticket?.();
      if (generation === this.#generation) this.#open(ticket);
    } catch (error) {
      if (generation === this.#generation) this.#refused(error);
    }
  }

  #open(ticket: string | undefined): void {
    const url = new URL(this.#options.url);
    if (this.#cursor) {
      url.searchParams.set('epoch', String(this.#cursor.epoch));
      url.searchParams.set('since', String(this.#cursor.seq));
    }
    const protocols = ticket === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, TICKET_SUBPROTOCOL_PREFIX + ticket];
    const link: SocketLink = new SocketLink(this.#options.openSocket(url.href, protocols), this.#options.clock, {
      frame: (frame, bytes) => this.#receive(frame, bytes),
      closed: (code) => link === this.#link && this.#lost(code),
    });
    this.#link = link;
  }

  #receive(frame: ServerFrame, bytes: number): void {
    switch (frame.type) {
      case 'welcome':
        return this.#welcomed(frame);
      case 'events':
        return this.#advance(frame, bytes);
      case 'result':
        return this.#commands.settle(frame);
      case 'problem':
      // A type this version does not know is one it can do without.
    }
  }

  #welcomed(welcome: Extract<ServerFrame, { type: 'welcome' }>): void {
    const link = this.#link;
    if (!link) return;
    this.#head = welcome.head;
    this.#acks = new Acks(welcome.seq, welcome.limits, this.#options.clock, (seq) => link.send({ type: 'ack', seq }));
    link.keepAlive(welcome.heartbeat_seconds);
    // workerd holds a connection it has closed until its object sleeps, unless a message ever came by it (measured 2026-11-23): 4001
    // and 1012 would be noticed 10 s late or more.
    link.send({ type: 'ack', seq: welcome.seq });
    const resumed = welcome.recovered && welcome.epoch === this.#cursor?.epoch && welcome.seq === this.#cursor.seq;
    if (!resumed) {
      this.#cursor = { epoch: welcome.epoch, seq: welcome.seq };
      this.#listener.reset(this.#cursor);
    }
    this.#setState({ name: 'open' });
    this.#cancelTimer = this.#options.clock.after(STABLE_AFTER_MS, () => (this.#attempt = 0));
    for (const command of this.#commands.frames()) link.send(command);
  }

  #advance({ epoch, from, to, events }: Extract<ServerFrame, { type: 'events' }>, bytes: number): void {
    const cursor = this.#cursor;
    if (!cursor || epoch !== cursor.epoch || from > cursor.seq + 1) return this.#link?.end(1006, 'gap');
    if (to <= cursor.seq) return;
    this.#cursor = { epoch, seq: to };
    this.#listener.events(from > cursor.seq ? events : events.filter(({ seq }) => seq > cursor.seq), this.#cursor);
    this.#acks?.received(to, bytes, to < this.#head);
  }

  #lost(code: number): void {
    const wasOpen = this.#state.name === 'open';
    const rule = closeRule(code);
    this.#disconnect();
    if (!rule.resume) this.#cursor = null;
    if (!rule.reconnect) this.#close(rule.name);
    else if (wasOpen || !this.#options.diagnose) this.#wait(rule.name, rule.backoff, 0);
    else void this.#explain(rule.name, this.#options.diagnose);
  }

  async #explain(reason: string, diagnose: () => Promise<unknown>): Promise<void> {
    const generation = this.#generation;
    try {
      await diagnose();
      if (generation === this.#generation) this.#wait(reason, 'jitter', 0);
    } catch (error) {
      if (generation === this.#generation) this.#refused(error);
    }
  }

  #refused(error: unknown): void {
    const reason = error instanceof ProblemError ? error.code : 'unreachable';
    if (error instanceof ProblemError && !isRetryable(error)) this.#close(reason);
    else this.#wait(reason, 'jitter', retryAfterMs(error));
  }

  #wait(reason: string, backoff: 'none' | 'jitter' | 'slow', atLeastMs: number): void {
    const { clock, random } = this.#options;
    const ms = Math.max(atLeastMs, backoffMs(backoff, this.#attempt, random));
    this.#attempt += 1;
    this.#cancelTimer = clock.after(ms, () => void this.#connect());
    this.#setState({ name: 'waiting', reason, retryAt: clock.now() + ms });
  }

  #close(reason: string): void {
    const link = this.#link;
    this.#disconnect();
    link?.end(1000, reason);
    this.#setState({ name: 'closed', reason });
    this.#commands.rejectAll(new ClosedError(reason));
  }

  #disconnect(): void {
    this.#generation += 1;
    this.#cancelTimer();
    this.#acks?.stop();
    this.#link = null;
    this.#acks = null;
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.#listener.stateChanged(state);
  }
}
