import type { CloseCode } from '../../protocol/close-codes.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Admission, SocketRequest } from '../channel-room/room-api.ts';
import { hash53 } from '../channel-room/hash53.ts';
import { RoomMetrics } from '../channel-room/room-metrics.ts';
import { SharedReads } from '../log/shared-reads.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import { Fanout } from '../sockets/fanout.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from '../sockets/socket-record.ts';
import { welcomeFrame } from '../sockets/frames.ts';
import { SocketCommands } from '../sockets/socket-commands.ts';
import { SocketCredentials } from '../sockets/socket-credentials.ts';
import { SOCKET_LIMITS, userIsFull } from '../sockets/socket-limits.ts';
import { TidyLoop } from '../sockets/tidy-loop.ts';
import { isOf, type Whose } from '../sockets/whose.ts';
import { Asking } from './asking.ts';
import { FoundSockets } from './found-sockets.ts';
import type { Batch, BatchAnswer, Telling } from './node-api.ts';
import type { NodePorts, NodeRoom } from './node-ports.ts';
import { NodePresence } from './node-presence.ts';
import { NodeTyping } from './node-typing.ts';
import { Ring } from './ring.ts';
import { RoomCommands } from './room-commands.ts';
import { RosterReport } from './roster-report.ts';

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
  readonly #found: FoundSockets<S>;
  readonly #asking = new Asking();
  readonly #credentials: SocketCredentials<S>;
  readonly #presence: NodePresence<S>;
  readonly #roster: RosterReport;
  #joining = 0;
  readonly #typing: NodeTyping<S>;
  readonly #tidy: TidyLoop<S>;
  /** Sockets were sent to since it last tidied up. */
  #active = false;

  constructor(found: readonly (readonly [S, SocketRecord])[], ports: NodePorts<S>) {
    const clock = (): number => ports.clock();
    this.#ports = ports;
    this.#found = new FoundSockets(found, {
      head: () => ports.room.head(),
      learned: ({ epoch, seq }) => this.#enter(epoch, seq, seq),
      adopt: (socket, record, among) => this.#adopt(socket, record, among),
      left: () => this.#rosterChanged(),
    });
    this.#metrics = new RoomMetrics(ports.name);
    const reads = new SharedReads((...range: Parameters<NodeRoom['eventsBetween']>) => ports.room.eventsBetween(...range));
    this.#fanout = new Fanout(this.#ring, { read: (...range) => reads.read(this.#ring.state.epoch, ...range).catch(() => null) }, {
      clock,
      schedule: (ms, task) => ports.schedule(ms, task),
      unsettled: () => {
        this.#active = true;
        this.#tidy.guard();
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
    this.#typing = new NodeTyping(this.#fanout, clock);
    this.#presence = new NodePresence(this.#fanout, {
      clock,
      schedule: (ms, task) => ports.schedule(ms, task),
      look: () => ports.room.look(),
      count: (...counted) => this.#metrics.count(...counted),
    });
    this.#credentials = new SocketCredentials(this.#fanout, {
      clock,
      ...ports.alarms.of('auth'),
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
    void this.#found.orient().then(() => this.#told(telling));
  }

  #told(telling: Exclude<Telling, { readonly frame: string }>): void {
    if ('sweep' in telling) return this.#sweep();
    if ('presence' in telling) return this.#presence.told(telling.presence);
    this.#typing.told(telling.typing);
  }

  /** To those found too: a node that slept knows no others yet. */
  #say(frame: string): void {
    this.#found.sayAll(frame);
    this.#fanout.sayAll(frame);
  }

  closeWhere(whose: Whose, code: CloseCode, reason: string): void {
    this.#asking.ended(whose);
    this.#found.closeWhere(whose, code, reason);
    this.#fanout.closeWhere(({ actor }) => isOf(whose, actor), code, reason);
  }

  /** Admits a socket where the room does. `open` is called once it is certain to be admitted, in the same turn. */
  async join(request: SocketRequest, open: () => S): Promise<Outcome<S>> {
    if (this.size + this.#joining >= this.#ports.maxSockets) return { problem: full };
    this.#joining += 1;
    try {
      return await this.#asking.ask(
        () => this.#admit(request),
        (admitted, hasEnded) => ('problem' in admitted ? admitted : this.#seat(request, admitted.ok, hasEnded, open)),
      );
    } finally {
      this.#joining -= 1;
      this.#rosterChanged();
    }
  }

  async message(socket: S, message: string | ArrayBuffer): Promise<void> {
    if (this.#found.has(socket) && !(await this.#found.taken(socket))) return;
    await this.#commands.handle(socket, message);
  }

  /** The alarm rang. */
  async alarm(): Promise<void> {
    // The instance before may not have come to say it.
    this.#rosterChanged();
    if (this.#found.size > 0) await this.#found.orient();
    this.#credentials.check();
  }

  left(socket: S): void {
    this.#found.leave(socket);
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
    this.#found.serve(head);
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
    this.#typing.caughtUp(socket);
    this.#presence.caughtUp(socket);
  }

  #skipTo(epoch: number, seq: number): void {
    this.#ring.skipTo(epoch, seq);
    this.#fanout.skipped();
  }

  #seat(request: SocketRequest, admission: Admission, hasEnded: (actor: Actor) => boolean, open: () => S): Outcome<S> {
    this.#enter(admission.epoch, admission.head, admission.head);
    if (hasEnded(request.actor) || admission.epoch !== this.#ring.state.epoch) return { problem: away };
    if (this.#tidy.hasLiveOf(request.actor.user_id, SOCKET_LIMITS.user)) return { problem: userIsFull };
    return { ok: this.#welcome(request, admission, open()) };
  }

  #redeem(userId: string, ticket: string): Promise<Redeemed | null> {
    return this.#asking.ask(
      () => this.#ports.room.redeem(userId, ticket),
      (redeemed, hasEnded) => (redeemed === null || hasEnded(redeemed.actor) ? null : redeemed),
    );
  }

  #welcome({ actor, next_ticket }: SocketRequest, admission: Admission, socket: S): S {
    const { session, epoch, seq } = admission;
    socket.send(welcomeFrame(admission, next_ticket));
    this.#fanout.join(socket, freshRecord({ session, actor, epoch }, seq));
    this.#credentials.watch(socket);
    this.#typing.joined(socket);
    this.#tidy.guard();
    return socket;
  }

  async #admit(request: SocketRequest): Promise<Outcome<Admission>> {
    try {
      return await this.#ports.room.admit(request);
    } catch (error) {
      this.#ports.warn('the room could not be reached', { error: String(error) });
      return { problem: away };
    }
  }

  /** Whether nothing is left to do. */
  #tidyRound(): boolean {
    const quiet = [!this.#active, !this.#fanout.isReading, this.#roster.settle()].every(Boolean);
    this.#active = false;
    const report = this.#metrics.take({ sockets: this.size, watchers: this.#presence.watching, undrained: 0, undrainedSince: null }, this.#ports.clock(), quiet);
    if (report !== null) this.#ports.report(report);
    return quiet;
  }

  /** Somebody may have come or gone. */
  #rosterChanged(): void {
    this.#roster.changed();
    this.#tidy.guard();
  }

  #sweep(): void {
    this.#tidy.reap();
    this.#roster.demand();
    this.#tidy.guard();
  }

  #users(): Set<number> {
    const users = new Set<number>();
    for (const { user_id } of this.#found.actors) users.add(hash53(user_id));
    this.#fanout.each((socket) => users.add(hash53(this.#fanout.record(socket)?.actor.user_id ?? '')));
    return users;
  }
}
