import { closeRule, reconnectWindow } from '../protocol/close-codes.ts';
import { MAX_RECONNECT_MS } from '../protocol/limits.ts';
import { SUBPROTOCOL, TICKET_SUBPROTOCOL_PREFIX } from '../protocol/version.ts';
import { Acks } from './acks.ts';
import { PendingCommands } from './commands.ts';
import { type Conditions, HoldWatch, alwaysOn } from './conditions.ts';
import { CredentialRefresh } from './credential-refresh.ts';
import { ClosedError, ProblemError, isRetryable, retryAfterMs } from './errors.ts';
import { BEGINNING, type ConnectionEvent, type ConnectionState, type Hold, type Lifecycle, step } from './lifecycle.ts';
import type { Clock, OpenSocket, Random } from './ports.ts';
import { SocketLink } from './socket-link.ts';
import { type EventsFrame, type ResultFrame, type SharedFrame, type WelcomeFrame, type Wire, isShared } from './wires.ts';

/** A connection that stayed open this long has succeeded: the next back-off starts over. */
const STABLE_AFTER_MS = 10_000;
/** The id of that command: others have numbers. */
const REFRESH = 'refresh';

/** A place in a log: everything up to `seq` is known. A cursor of another epoch says nothing. */
export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

export interface ConnectionOptions {
  readonly url: URL;
  readonly since: Cursor | null;
  readonly openSocket: OpenSocket;
  /** A fresh single-use ticket, for where `openSocket` cannot authenticate by itself. */
  readonly ticket?: () => Promise<string>;
  /** Asked when the handshake fails, for browsers do not say why: throws the `ProblemError` that a new attempt would meet too. */
  readonly diagnose?: () => Promise<unknown>;
  readonly conditions?: Conditions;
  /** How long nobody may look before the socket is given up until someone does; null or absent: for ever. In milliseconds. */
  readonly hiddenAfterMs?: number | null;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ConnectionListener<W extends Wire> {
  stateChanged(state: ConnectionState): void;
  /** The next events in order, each once. `cursor` is the place after them. */
  events(events: readonly W['event'][], cursor: Cursor): void;
  /** What was known is void: read it again, then apply the events that follow `cursor`. */
  reset(cursor: Cursor): void;
  /** A frame beside the log. It may be of a type this version does not know, which it can do without. */
  state(frame: W['state']): void;
}

/** The socket of one log, kept through every loss: it resumes at its cursor and is told of each event once, in order (G3, G4). */
export class Connection<W extends Wire> {
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener<W>;
  readonly #commands: PendingCommands<W>;
  readonly #holds: HoldWatch;
  #life: Lifecycle = BEGINNING;
  #cursor: Cursor | null;
  #head = 0;
  #link: SocketLink<SharedFrame<W> | W['state']> | null = null;
  #acks: Acks | null = null;
  #refresh: CredentialRefresh | null = null;
  #cancelTimer: () => void = () => {};
  #cancelMove: () => void = () => {};
  /** Counts attempts begun, so that a ticket that arrives late opens nothing. */
  #generation = 0;
  /** What the last welcome gave: it opens the next socket, and nothing has to be asked for that. */
  #nextTicket: string | undefined;
  /** The one of this attempt. */
  #offered: string | undefined;

  constructor(options: ConnectionOptions, listener: ConnectionListener<W>) {
    const { conditions = alwaysOn, hiddenAfterMs = null, clock } = options;
    this.#options = options;
    this.#listener = listener;
    this.#cursor = options.since;
    this.#commands = new PendingCommands(clock, () => this.#link?.end(1006, 'no result'));
    this.#holds = new HoldWatch({ conditions, hiddenAfterMs, clock, isBusy: () => this.#commands.size > 0, changed: (hold) => this.#held(hold) });
  }

  get state(): ConnectionState {
    return this.#life.state;
  }

  get cursor(): Cursor | null {
    return this.#cursor;
  }

  start(): void {
    this.#holds.start();
    this.#on({ type: 'start' });
  }

  stop(): void {
    this.#on({ type: 'stop' });
  }

  /** Someone wants a connection now: attempt at once, or make sure that the socket still lives. */
  wake(): void {
    this.#on({ type: 'wake' });
    this.#link?.probe();
  }

  /**
   * Sends a command and gives its result, through as many sockets as that takes. Throws `ProblemError` for a refusal, `ClosedError`
   * when the connection ends for good first, `QueueFullError` past 256 unanswered.
   */
  async command(command: W['command']): Promise<W['result']> {
    if (this.state.name === 'closed') throw new ClosedError(this.state.reason);
    const result = this.#commands.add(command);
    this.#sendCommands();
    return result;
  }

  /** Sends what is of use only now: dropped where no socket is open. */
  notify(notice: W['notice']): void {
    if (this.state.name === 'open') this.#link?.send(notice);
  }

  #sendCommands(): void {
    if (this.state.name === 'open') for (const frame of this.#commands.take()) this.#link?.send(frame);
  }

  #on(event: ConnectionEvent): void {
    const { state } = this.#life;
    this.#life = step(this.#life, event, this.#options.clock.now(), this.#options.random);
    if (this.state === state) return;
    this.#cancelTimer();
    if (this.state.name !== 'open') this.#disconnect();
    this.#enter(this.state);
    this.#listener.stateChanged(this.state);
  }

  #enter(state: ConnectionState): void {
    const { clock } = this.#options;
    if (state.name === 'connecting') void this.#connect();
    else if (state.name === 'open') this.#cancelTimer = clock.after(STABLE_AFTER_MS, () => this.#on({ type: 'lasted' }));
    else if (state.name === 'waiting') this.#cancelTimer = clock.after(state.retryAt - clock.now(), () => this.#on({ type: 'retry' }));
    else if (state.name === 'closed') this.#ended(state.reason);
  }

  #ended(reason: string): void {
    this.#holds.stop();
    this.#commands.rejectAll(new ClosedError(reason));
  }

  #held(hold: Hold | null): void {
    this.#on({ type: 'hold', hold });
    if (hold === null && this.#options.conditions?.isVisible) this.wake();
    if (hold === 'offline') this.#link?.probe();
  }

  async #connect(): Promise<void> {
    const generation = this.#generation;
    try {
      [this.#offered, this.#nextTicket] = [this.#nextTicket, undefined];
      const ticket = this.#offered ?? (await this.#options.ticket?.());
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
    const link: SocketLink<SharedFrame<W> | W['state']> = new SocketLink(this.#options.openSocket(url.href, protocols), this.#options.clock, {
      frame: (frame, bytes) => link === this.#link && this.#receive(frame, bytes),
      closed: (code, text) => link === this.#link && this.#lost(code, text),
    });
    this.#link = link;
  }

  #receive(frame: SharedFrame<W> | W['state'], bytes: number): void {
    if (!isShared<W>(frame)) return this.#listener.state(frame);
    switch (frame.type) {
      case 'welcome':
        return this.#welcomed(frame);
      case 'events':
        return this.#advance(frame, bytes);
      case 'result':
        return frame.re === REFRESH ? this.#refreshed(frame) : this.#settle(frame);
      case 'auth.expiring':
        return this.#refresh?.expiring(frame.expires_at);
      case 'reconnect':
        return this.#moveWithin(Math.min(frame.within_ms, MAX_RECONNECT_MS));
      case 'problem':
      // It was about no command; the close that follows repeated ones has a code.
    }
  }

  #welcomed(welcome: WelcomeFrame): void {
    const link = this.#link;
    if (!link) return;
    const { clock, random, ticket } = this.#options;
    this.#head = welcome.head;
    this.#nextTicket = welcome.next_ticket;
    this.#acks = new Acks(welcome.seq, welcome.limits, (seq) => link.send({ type: 'ack', seq }));
    if (ticket) this.#refresh = new CredentialRefresh({ ticket, clock, random, send: (fresh) => link.send({ type: 'refresh', id: REFRESH, ticket: fresh }) });
    link.keepAlive(welcome.heartbeat_seconds);
    // workerd holds a connection it has closed until its object sleeps, unless a message ever came by it (measured 2026-11-23): 4001
    // and 1012 would be noticed 10 s late or more.
    link.send({ type: 'ack', seq: welcome.seq });
    const resumed = welcome.recovered && welcome.epoch === this.#cursor?.epoch && welcome.seq === this.#cursor.seq;
    if (!resumed) {
      this.#cursor = { epoch: welcome.epoch, seq: welcome.seq };
      this.#listener.reset(this.#cursor);
    }
    this.#on({ type: 'welcome' });
    this.#sendCommands();
  }

  #settle(result: ResultFrame<W>): void {
    this.#commands.settle(result);
    this.#sendCommands();
  }

  /** The ticket before is of the credential that ends. */
  #refreshed({ ok }: ResultFrame<W>): void {
    if (ok) this.#nextTicket = 'next_ticket' in ok && typeof ok.next_ticket === 'string' ? ok.next_ticket : undefined;
  }

  #advance({ epoch, from, to, events }: EventsFrame<W>, bytes: number): void {
    const cursor = this.#cursor;
    if (!cursor || epoch !== cursor.epoch || from > cursor.seq + 1) return this.#link?.end(1006, 'gap');
    if (to <= cursor.seq) return;
    this.#cursor = { epoch, seq: to };
    this.#listener.events(from > cursor.seq ? events : events.filter(({ seq }) => seq > cursor.seq), this.#cursor);
    this.#acks?.received(to, bytes, to < this.#head);
  }

  /** The server goes away soon, and so does everybody else's socket: each leaves at a moment of its own. */
  #moveWithin(ms: number): void {
    this.#cancelMove();
    this.#cancelMove = this.#options.clock.after(this.#options.random() * ms, () => this.#on({ type: 'move' }));
  }

  #lost(code: number, text: string): void {
    const { reconnect, refreshToken, resume } = closeRule(code);
    const { diagnose } = this.#options;
    const mayExplain = this.state.name === 'connecting' && reconnect && reconnectWindow(text) === null;
    if (!resume) this.#cursor = null;
    if (refreshToken) this.#nextTicket = undefined;
    if (mayExplain && diagnose) void this.#explain(code, text, diagnose);
    else this.#on({ type: 'lost', code, text });
  }

  async #explain(code: number, text: string, diagnose: () => Promise<unknown>): Promise<void> {
    this.#disconnect();
    const generation = this.#generation;
    try {
      await diagnose();
      if (generation === this.#generation) this.#on({ type: 'lost', code, text });
    } catch (error) {
      if (generation !== this.#generation) return;
      // Where nobody answers, or nobody can serve, nobody is likely to have used it up.
      if (isRetryable(error)) this.#nextTicket = this.#offered;
      this.#refused(error);
    }
  }

  #refused(error: unknown): void {
    const reason = error instanceof ProblemError ? error.code : 'unreachable';
    this.#on({ type: 'refused', reason, isFinal: error instanceof ProblemError && !isRetryable(error), afterMs: retryAfterMs(error) });
  }

  #disconnect(): void {
    const link = this.#link;
    this.#generation += 1;
    this.#cancelMove();
    this.#commands.untake();
    this.#refresh?.stop();
    this.#link = null;
    this.#acks = null;
    this.#refresh = null;
    link?.end(1000, 'left');
  }
}
