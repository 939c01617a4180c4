import { closeReason, type CloseCode } from '../../protocol/close-codes.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import type { Alarms } from '../alarms.ts';
import type { ActorCommand, Admission, LogHead, SocketRequest } from '../channel-room/room-api.ts';
import { hash53 } from '../channel-room/hash53.ts';
import { RoomMetrics } from '../channel-room/room-metrics.ts';
import { SharedReads } from '../log/shared-reads.ts';
import { typingFrame, typingFrames, type TypingUsers } from '../channel-room/typing.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import { Fanout } from '../sockets/fanout.ts';
import type { OlderEvents } from '../sockets/fanout-log.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from '../sockets/socket-record.ts';
import { welcomeFrame } from '../sockets/frames.ts';
import { SocketCommands } from '../sockets/socket-commands.ts';
import { SocketCredentials } from '../sockets/socket-credentials.ts';
import { reconnectWindowMs } from '../sockets/reconnect-window.ts';
import { TidyLoop } from '../sockets/tidy-loop.ts';
import { isOf, type Whose } from '../sockets/whose.ts';
import type { Batch, BatchAnswer, Telling } from './node-api.ts';
import { NodePresence } from './node-presence.ts';
import { Ring } from './ring.ts';
import { RoomCommands } from './room-commands.ts';
import { RosterReport } from './roster-report.ts';

/** When another instance sees to the sockets of one that was lost in the middle of serving them, if nothing else wakes it. */
const NET_MS = 30_000;
/** Messages that wait until it is known where the log stands. Past it whoever sends more has to come back. */
const MOST_WAITING = 1_000;

/** The room of a node, by RPC. Every method rejects when it cannot be reached. */
export interface NodeRoom {
  admit(request: SocketRequest): Promise<Outcome<Admission>>;
  head(): Promise<LogHead>;
  eventsBetween(epoch: number, ...range: Parameters<OlderEvents['read']>): ReturnType<OlderEvents['read']>;
  execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>>;
  executeEach(commands: readonly ActorCommand[]): Promise<readonly (Outcome<CommandResult> | null)[]>;
  redeem(userId: string, ticket: string): Promise<Redeemed | null>;
  typed(actor: Actor, threadId: string | null): Promise<void>;
  look(): Promise<void>;
  roster(users: Float64Array): Promise<void>;
}

/** What its alarm is for: credentials that end, and what an instance has not come to the end of. */
export const NODE_ALARMS = ['auth', 'net'] as const;
export type NodeAlarm = (typeof NODE_ALARMS)[number];

export interface NodePorts<S extends RoomSocket> {
  /** By which its metrics are known. */
  readonly name: string;
  readonly room: NodeRoom;
  /** Past it the node refuses: the room has placed too many, which it may while it does not know how many there are. */
  readonly maxSockets: number;
  readonly alarms: Alarms<NodeAlarm>;
  clock(): number;
  schedule(ms: number, task: () => void): void;
  report(report: MetricsReport): void;
  /** As of a room. */
  lastPing(socket: S): number;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Whose access has ended while the room was asked something: its answer and a later word of it are in no order. Asked again, it knows (G5). */
type Heard = Whose[];

const full: Problem = { code: 'unavailable', detail: 'This part of the channel is full', retry_after: 1 };
const away: Problem = { code: 'unavailable', detail: 'The channel cannot be reached', retry_after: 1 };

/**
 * Some of a channel's sockets, of which the room has too many. The room tells it what was appended; its sockets are cursors over a ring of that, and what
 * the ring has no longer is read from the room. What its sockets ask is the room's to answer: a node decides nothing.
 *
 * It keeps nothing but its sockets. An instance that begins does not know where the log stands: the sockets it finds wait until the room says so, with a
 * batch, an admission, or when it is asked. A batch that does not follow the ring's newest event (this is another instance, or the room has passed over
 * what would be too much) leaves a hole in the ring, not in what sockets get: each is behind then, and reads on from its own cursor (G4).
 */
export class Node<S extends RoomSocket> {
  readonly #ports: NodePorts<S>;
  readonly #ring = new Ring();
  readonly #fanout: Fanout<S>;
  readonly #commands: SocketCommands<S>;
  readonly #metrics: RoomMetrics;
  /** Sockets of an earlier instance, until it is known where the log stands. */
  readonly #found: Map<S, SocketRecord>;
  readonly #asking = new Set<Heard>();
  readonly #credentials: SocketCredentials<S>;
  readonly #presence: NodePresence<S>;
  readonly #roster: RosterReport;
  #joining = 0;
  /** Who types, as it was told last. */
  #typing: TypingUsers = [];
  #orienting: Promise<void> | null = null;
  /** Messages that wait for that. */
  #waiting = 0;
  readonly #tidy: TidyLoop<S>;
  /** Sockets were sent to since it last tidied up. */
  #active = false;

  constructor(found: readonly (readonly [S, SocketRecord])[], ports: NodePorts<S>) {
    const clock = (): number => ports.clock();
    this.#ports = ports;
    this.#found = new Map(found);
    this.#metrics = new RoomMetrics(ports.name);
    const reads = new SharedReads((...range: Parameters<NodeRoom['eventsBetween']>) => ports.room.eventsBetween(...range));
    this.#fanout = new Fanout(this.#ring, { read: (...range) => reads.read(this.#ring.state.epoch, ...range).catch(() => null) }, {
      clock,
      schedule: (ms, task) => ports.schedule(ms, task),
      unsettled: () => {
        this.#active = true;
        this.#touch();
      },
      caughtUp: (socket) => this.#caughtUp(socket),
      closed: (socket, code) => this.#closed(socket, code),
    });
    const commands = new RoomCommands({
      execute: (actor, command) => ports.room.execute(actor, command),
      executeEach: (group) => ports.room.executeEach(group),
      schedule: (ms, task) => ports.schedule(ms, task),
      failed: (error) => ports.warn('the room could not be reached', { error: String(error) }),
    });
    this.#tidy = new TidyLoop(this.#fanout, { ...ports, round: () => this.#tidyRound() });
    this.#commands = new SocketCommands(this.#fanout, {
      clock,
      execute: (actor, command) => commands.execute(actor, command),
      refresh: (socket, ticket) => this.#credentials.refresh(socket, ticket),
      typing: (actor, threadId) => void ports.room.typed(actor, threadId).catch(() => {}),
      watch: (socket, presence) => this.#presence.watch(socket, presence),
    });
    this.#presence = new NodePresence(this.#fanout, { clock, schedule: (ms, task) => ports.schedule(ms, task), look: () => void ports.room.look().catch(() => {}) });
    this.#credentials = new SocketCredentials(this.#fanout, {
      clock,
      alarmAt: () => ports.alarms.at('auth'),
      setAlarm: (at) => ports.alarms.set('auth', at),
      clearAlarm: () => ports.alarms.clear('auth'),
      redeem: (userId, ticket) => this.#redeem(userId, ticket),
      // The room has looked, with its list of members.
      refusal: ({ expires_at }) => (expires_at <= clock() ? { code: 'unauthenticated' } : null),
    });
    this.#roster = new RosterReport({ clock, users: () => this.#users(), report: (users) => ports.room.roster(users) });
    // It may have had sockets, and lost them.
    if (found.length === 0) this.#rosterChanged();
  }

  get size(): number {
    return this.#found.size + this.#fanout.size;
  }

  publish(batch: Batch): BatchAnswer {
    // One of an earlier epoch comes from a room that is no more.
    if (batch.epoch >= this.#ring.state.epoch) this.#take(batch);
    return { sockets: this.size + this.#joining, pause: this.#fanout.pause };
  }

  /** The sockets of an earlier instance are taken over first. */
  tell(telling: Telling): void {
    if ('frame' in telling) return this.#say(telling.frame);
    if (this.#found.size === 0) return this.#told(telling);
    void this.#orient().then(() => this.#told(telling));
  }

  #told(telling: Exclude<Telling, { readonly frame: string }>): void {
    if ('sweep' in telling) return this.#sweep();
    if ('presence' in telling) return this.#presence.told(telling.presence);
    const frameFor = typingFrames(telling.typing);
    this.#typing = telling.typing.now;
    this.#fanout.tell(({ actor }) => frameFor(actor.user_id));
  }

  /** To those found too: a node that slept knows no others yet. */
  #say(frame: string): void {
    for (const socket of this.#found.keys()) {
      try {
        socket.send(frame);
      } catch {
        // It is closing.
      }
    }
    this.#fanout.sayAll(frame);
  }

  closeWhere(whose: Whose, code: CloseCode, reason: string): void {
    for (const heard of this.#asking) heard.push(whose);
    for (const [socket, { actor }] of this.#found) if (isOf(whose, actor)) this.#closeFound(socket, code, reason);
    this.#fanout.closeWhere(({ actor }) => isOf(whose, actor), code, reason);
  }

  /** Admits a socket where the room does. `open` is called once it is certain to be admitted, in the same turn. */
  async join(request: SocketRequest, open: () => S): Promise<Outcome<S>> {
    if (this.size + this.#joining >= this.#ports.maxSockets) return { problem: full };
    this.#joining += 1;
    try {
      return await this.#ask(
        () => this.#admit(request),
        (admitted, heard) => ('problem' in admitted ? admitted : this.#seat(request, admitted.ok, heard, open)),
      );
    } finally {
      this.#joining -= 1;
      this.#rosterChanged();
    }
  }

  async message(socket: S, message: string | ArrayBuffer): Promise<void> {
    if (this.#found.has(socket) && !(await this.#taken(socket))) return;
    await this.#commands.handle(socket, message);
  }

  /** The alarm rang. */
  async alarm(): Promise<void> {
    // The instance before may not have come to say it.
    this.#rosterChanged();
    if (this.#found.size > 0) await this.#orient();
    this.#credentials.check();
  }

  left(socket: S): void {
    this.#found.delete(socket);
    this.#fanout.leave(socket);
    this.#presence.left(socket);
    this.#rosterChanged();
  }

  #take({ epoch, after, events, head }: Batch): void {
    this.#enter(epoch, after, head);
    if (after > this.#ring.state.seq) this.#skipTo(epoch, after);
    const fresh = this.#ring.append(events);
    if (fresh.length > 0) this.#fanout.publish(fresh);
  }

  /** Learns where the log stands: `seq` is where its ring goes on, `head` where the room's log is. */
  #enter(epoch: number, seq: number, head: number): void {
    if (epoch <= this.#ring.state.epoch) return;
    this.#fanout.closeWhere(() => true, 4009, 'the epoch has changed');
    this.#skipTo(epoch, seq);
    const among = this.#found.size;
    for (const [socket, record] of this.#found) {
      // The instance before may have sent it more than its record says, up to the room's head.
      if (!record.settled && record.cursor.sent < head) this.#closeFound(socket, 1012, closeReason('the node was restarted', reconnectWindowMs(among)));
      else this.#adopt(socket, record, among);
    }
    this.#found.clear();
    this.#credentials.check();
  }

  #adopt(socket: S, record: SocketRecord, among: number): void {
    this.#fanout.adopt(socket, record, among);
    this.#presence.adopt(socket);
  }

  #closed(socket: S, code: CloseCode): void {
    this.#presence.left(socket);
    this.#rosterChanged();
    this.#metrics.count('colink_room_sockets_closed_total', 1, { code: String(code) });
  }

  #caughtUp(socket: S): void {
    this.#greet(socket);
    this.#presence.caughtUp(socket);
  }

  #skipTo(epoch: number, seq: number): void {
    this.#ring.skipTo(epoch, seq);
    this.#fanout.skipped();
  }

  /** Asks the room where the log stands. Where it does not say, the sockets come back later, and elsewhere. */
  #orient(): Promise<void> {
    this.#orienting ??= this.#ports.room
      .head()
      .then(({ epoch, seq }) => this.#enter(epoch, seq, seq))
      .catch(() => this.#dismissFound())
      .finally(() => (this.#orienting = null));
    return this.#orienting;
  }

  async #ask<A, R>(call: () => Promise<A>, then: (answer: A, heard: Heard) => R): Promise<R> {
    const heard: Heard = [];
    this.#asking.add(heard);
    try {
      return then(await call(), heard);
    } finally {
      this.#asking.delete(heard);
    }
  }

  #seat(request: SocketRequest, admission: Admission, heard: Heard, open: () => S): Outcome<S> {
    this.#enter(admission.epoch, admission.head, admission.head);
    if (heard.some((whose) => isOf(whose, request.actor)) || admission.epoch !== this.#ring.state.epoch) return { problem: away };
    return { ok: this.#welcome(request, admission, open()) };
  }

  #redeem(userId: string, ticket: string): Promise<Redeemed | null> {
    return this.#ask(
      () => this.#ports.room.redeem(userId, ticket),
      (redeemed, heard) => (redeemed === null || heard.some((whose) => isOf(whose, redeemed.actor)) ? null : redeemed),
    );
  }

  #welcome({ actor, next_ticket }: SocketRequest, admission: Admission, socket: S): S {
    const { session, epoch, seq } = admission;
    socket.send(welcomeFrame(admission, next_ticket));
    this.#fanout.join(socket, freshRecord({ session, actor, epoch }, seq));
    this.#credentials.watch(socket);
    if (this.#typing.length > 0) this.#greet(socket);
    this.#touch();
    return socket;
  }

  /** What the sockets that were found send meanwhile waits, up to a limit. */
  async #taken(socket: S): Promise<boolean> {
    if (this.#waiting >= MOST_WAITING) {
      this.#closeFound(socket, 1012, closeReason('the node was restarted', reconnectWindowMs(this.#found.size)));
      return false;
    }
    this.#waiting += 1;
    await this.#orient();
    this.#waiting -= 1;
    return true;
  }

  #dismissFound(): void {
    const reason = closeReason('the channel cannot be reached', reconnectWindowMs(this.#found.size));
    for (const socket of this.#found.keys()) this.#closeFound(socket, 1012, reason);
  }

  #closeFound(socket: S, code: CloseCode, reason: string): void {
    this.#found.delete(socket);
    this.#rosterChanged();
    socket.close(code, reason);
  }

  /** What a socket has to know besides events, where it has not been told. */
  #greet(socket: S): void {
    const userId = this.#fanout.record(socket)?.actor.user_id;
    this.#fanout.tellSocket(socket, typingFrame(this.#typing.filter(({ user_id }) => user_id !== userId)));
  }

  async #admit(request: SocketRequest): Promise<Outcome<Admission>> {
    try {
      return await this.#ports.room.admit(request);
    } catch (error) {
      this.#ports.warn('the room could not be reached', { error: String(error) });
      return { problem: away };
    }
  }

  /** Something happened: tidy up soon, and if this instance is lost before, the next one. */
  #touch(): void {
    this.#ports.alarms.ensure('net', this.#ports.clock() + NET_MS);
    this.#tidy.touch();
  }

  /** Whether nothing is left to do. */
  #tidyRound(): boolean {
    const quiet = [!this.#active, !this.#fanout.isReading, this.#roster.settle()].every(Boolean);
    this.#active = false;
    const report = this.#metrics.take({ sockets: this.size, undrained: 0, undrainedSince: null }, this.#ports.clock(), quiet);
    if (report !== null) this.#ports.report(report);
    if (quiet) this.#ports.alarms.clear('net');
    return quiet;
  }

  /** Somebody may have come or gone. */
  #rosterChanged(): void {
    this.#roster.changed();
    this.#touch();
  }

  #sweep(): void {
    this.#tidy.reap();
    this.#roster.demand();
    this.#touch();
  }

  #users(): Set<number> {
    const users = new Set<number>();
    for (const { actor } of this.#found.values()) users.add(hash53(actor.user_id));
    this.#fanout.each((socket) => users.add(hash53(this.#fanout.record(socket)?.actor.user_id ?? '')));
    return users;
  }
}
