import type { CloseCode } from '../../protocol/close-codes.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import { Archive, type ArchivedChunk } from '../log/archive.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { LogDrain } from '../log/log-drain.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import { Fanout } from '../sockets/fanout.ts';
import type { OlderEvents } from '../sockets/fanout-log.ts';
import type { RoomSocket, SocketRecord } from '../sockets/socket-record.ts';
import { reconnectFrame } from '../sockets/frames.ts';
import { SocketCommands } from '../sockets/socket-commands.ts';
import { SocketCredentials } from '../sockets/socket-credentials.ts';
import { SWEEP_MS } from '../sockets/socket-limits.ts';
import { TidyLoop } from '../sockets/tidy-loop.ts';
import type { PresenceNotice } from '../user-inbox/presence-api.ts';
import { AccessChanges } from './access-changes.ts';
import { Admissions } from './admissions.ts';
import { Awareness } from './awareness.ts';
import { CommandExecution } from './command-execution.ts';
import { accessProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { EditWindowLookup } from './edit-window.ts';
import { GroupCommit } from './group-commit.ts';
import { MembershipLookup } from './membership.ts';
import { readForNode } from './node-reads.ts';
import { Orders } from './orders.ts';
import type { RoomAlarm } from './room-alarms.ts';
import type { ActorCommand, Admission, FoundMessage, LogHead, MemberChange, Placement, SocketRequest } from './room-api.ts';
import { roomDrain } from './room-drain.ts';
import { RoomMetrics } from './room-metrics.ts';
import type { RoomPorts } from './room-ports.ts';
import { Seating } from './seating.ts';
import { Tree } from './tree.ts';

/** One channel, live. It knows no platform: SQLite, Postgres, sockets, clock and random come in. */
export class Room<S extends RoomSocket> {
  readonly #conversation: Conversation;
  readonly #ports: RoomPorts<S>;
  readonly #commits: GroupCommit;
  readonly #archive: Archive;
  readonly #fanout: Fanout<S>;
  readonly #commands: SocketCommands<S>;
  readonly #credentials: SocketCredentials<S>;
  readonly #execution: CommandExecution;
  readonly #access: AccessChanges<S>;
  readonly #seating: Seating<S>;
  readonly #tree: Tree;
  readonly #metrics: RoomMetrics;
  readonly #drain: LogDrain;
  readonly #awareness: Awareness<S>;
  readonly #tidy: TidyLoop<S>;
  readonly orders: Orders;

  get channelId(): string {
    return this.#conversation.channelId;
  }

  get head(): LogHead {
    const { epoch, seq } = this.#conversation.log.state;
    return { epoch, seq };
  }

  constructor(conversation: Conversation, ports: RoomPorts<S>) {
    const { channelId, log } = conversation;
    const { record } = ports;
    const clock = (): number => ports.clock();
    this.#conversation = conversation;
    this.#ports = ports;
    this.#metrics = new RoomMetrics(channelId);
    this.#commits = new GroupCommit(conversation, {
      clock,
      schedule: (ms, task) => ports.schedule(ms, task),
      committed: (events) => this.#committed(events),
      failed: (error) => ports.warn('a command failed', { error: String(error) }),
    });
    this.orders = new Orders(conversation, { clock, flush: () => this.#commits.flush(), committed: (events) => this.#committed(events) });
    this.#archive = new Archive({
      eventsBetween: (after, before, limit) => record.eventsBetween(channelId, after, before, limit),
      poisonBetween: (after, before) => record.poisonBetween(channelId, after, before),
      failed: (error) => ports.warn('older events could not be read', { error: String(error) }),
    });
    this.#fanout = new Fanout(log, { read: (...range) => this.#tidy.guarded(this.#archive.read(...range)) }, {
      clock,
      schedule: (ms, task) => ports.schedule(ms, task),
      unsettled: () => this.#tidy.touch(),
      closed: (socket, code) => this.#closed(socket, code),
      caughtUp: (socket) => this.#awareness.caughtUp(socket),
    });
    this.#tidy = new TidyLoop(this.#fanout, { ...ports, round: () => this.#tidyRound() });
    this.#commands = new SocketCommands(this.#fanout, {
      clock,
      execute: (actor, command) => this.#execution.execute(actor, command),
      refresh: (socket, ticket) => this.#credentials.refresh(socket, ticket),
      typing: (actor, threadId) => this.#awareness.typed(actor, threadId),
      watch: (socket, presence) => this.#awareness.watch(socket, presence),
    });
    this.#credentials = new SocketCredentials(this.#fanout, {
      clock,
      ...ports.alarms.of('auth'),
      redeem: (userId, ticket) => ports.redeem(userId, ticket),
      refusal: (actor) => accessProblem(conversation, actor, clock()),
    });
    const admissions = new Admissions(conversation, this.#archive, new MembershipLookup(conversation, record, clock), { clock, asking: () => this.#tidy.touch() });
    this.#tree = new Tree(ports.nodes, log, { ...ports, ...ports.alarms.of('nodes') });
    this.#awareness = new Awareness(conversation, this.#fanout, this.#tree, {
      ...ports,
      count: (...counted) => this.#metrics.count(...counted),
      sweepLater: () => ports.alarms.ensure('sweep', clock() + SWEEP_MS),
    });
    this.#access = new AccessChanges(conversation, this.#fanout, this.#tree, {
      clock,
      flush: () => this.#commits.flush(),
      announced: (userId, events) => this.#announced(userId, events),
    });
    this.#execution = new CommandExecution(conversation, admissions, this.#commits, this.#metrics, {
      clock,
      editWindow: new EditWindowLookup(conversation.editWindow, {
        clock,
        schedule: (ms, task) => ports.schedule(ms, task),
        read: () => record.findEditWindow(),
        asking: () => this.#tidy.touch(),
      }),
      done: (userId, command) => this.#awareness.done(userId, command),
    });
    this.#seating = new Seating(this.#fanout, this.#tree, admissions, this.#tidy, {
      channelId,
      limits: ports.limits,
      joined: (socket) => this.#joined(socket),
    });
    this.#drain = roomDrain(conversation, this.#metrics, {
      ...ports,
      epochChanged: () => this.#epochChanged(),
    });
  }

  /** Continues what an earlier instance left: its sockets, and its undrained events. */
  resume(sockets: readonly (readonly [S, SocketRecord])[]): void {
    this.#ports.alarms.revive(this.#ports.clock());
    for (const [socket, record] of sockets) this.#fanout.adopt(socket, record, sockets.length);
    this.#awareness.resume();
    this.#credentials.check();
    if (this.#tree.resume()) this.#tidy.touch();
    if (this.#conversation.log.undrainedEvents === 0) return;
    this.#drain.wake();
    this.#tidy.touch();
  }

  async execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>> {
    return await this.#execution.execute(actor, command);
  }

  async executeEach(commands: readonly ActorCommand[]): Promise<(Outcome<CommandResult> | null)[]> {
    return await this.#execution.executeEach(commands);
  }

  async executeBatch(actor: Actor, commands: readonly Command[]): Promise<Outcome<CommandResult[]>> {
    return await this.#execution.executeBatch(actor, commands);
  }

  /** As `RoomApi`. */
  async findAt(actor: Actor, ms: number, remainder: number): Promise<Outcome<FoundMessage | null>> {
    return await this.#execution.findAt(actor, ms, remainder);
  }

  /** As `RoomApi`. */
  async headFor(actor: Actor): Promise<Outcome<LogHead>> {
    const problem = await this.#execution.refusal(actor);
    return problem === null ? { ok: this.head } : { problem };
  }

  /** As `RoomApi`. */
  async lastPosFor(actor: Actor): Promise<Outcome<number>> {
    const problem = await this.#execution.refusal(actor);
    return problem === null ? { ok: this.#conversation.nextPos - 1 } : { problem };
  }

  /** As `RoomApi`. */
  findSent(userId: string, clientMsgId: string): string | null {
    this.#commits.flush();
    return this.#conversation.messages.findSent(userId, clientMsgId)?.id ?? null;
  }

  /** As `AccessChanges`. */
  async applyMemberChange(change: MemberChange): Promise<void> {
    await this.#access.applyMemberChange(change);
  }

  /** As `AccessChanges`. */
  async revokeCredential(credentialId: string, expiresAt: number): Promise<void> {
    await this.#access.revokeCredential(credentialId, expiresAt);
  }

  /** Asks all sockets to leave within that time and come back; how many there are, on nodes too. */
  prepareRestart(withinMs: number): number {
    const frame = reconnectFrame(withinMs);
    void this.#tree.tell({ frame });
    return this.#fanout.sayAll(frame) + this.#tree.sockets;
  }

  /**
   * Admits a socket and serves it from its cursor on: `open` is called once it is certain to be admitted, in the same turn. A room that has its fill of
   * sockets has it go to a node.
   */
  async join(request: SocketRequest, open: () => S): Promise<Outcome<S | Placement>> {
    return await this.#seating.join(request, open);
  }

  /** As `RoomOfNodes`. */
  async admit(node: number, request: SocketRequest): Promise<Outcome<Admission>> {
    return await this.#seating.admit(node, request);
  }

  /** As `RoomOfNodes`. */
  async redeem(userId: string, ticket: string): Promise<Redeemed | null> {
    const redeemed = await this.#ports.redeem(userId, ticket);
    return redeemed === null || accessProblem(this.#conversation, redeemed.actor, this.#ports.clock()) !== null ? null : redeemed;
  }

  /** As `RoomOfNodes`. */
  async eventsBetween(epoch: number, ...range: Parameters<OlderEvents['read']>): Promise<ArchivedChunk | null> {
    const served = { log: this.#conversation.log, archive: this.#archive, asking: () => this.#tidy.touch() };
    return await readForNode(served, epoch, ...range);
  }

  /** A member's presence, from their inbox. False: nobody looks, and the inbox is to tell this room no more. */
  presenceChanged(notice: PresenceNotice): boolean {
    return this.#awareness.notice(notice);
  }

  async message(socket: S, message: string | ArrayBuffer): Promise<void> {
    await this.#commands.handle(socket, message);
  }

  /** As `RoomOfNodes`. */
  typed(actor: Actor, threadId: string | null): void {
    this.#awareness.typed(actor, threadId);
  }

  /** As `RoomOfNodes`. */
  roster(node: number, users: Float64Array): void {
    this.#tree.hearRoster(node, users);
    this.#awareness.rosterChanged();
  }

  look(): void {
    this.#awareness.lookFromNode();
  }

  left(socket: S): void {
    this.#fanout.leave(socket);
    this.#awareness.left(socket);
    this.#tidy.touch();
  }

  async alarm(): Promise<void> {
    this.#tidy.reap();
    this.#tidy.touch();
    const work: Record<RoomAlarm, () => void | Promise<void>> = {
      drain: () => this.#drain.alarm(),
      auth: () => this.#credentials.check(),
      nodes: () => this.#tree.retell(),
      sweep: () => this.#awareness.sweep(),
      net: () => this.#tidy.guard(),
    };
    await this.#ports.alarms.ring(this.#ports.clock(), work, (purpose, error) => this.#ports.warn('alarm', { purpose, error: String(error) }));
  }

  #committed(events: readonly LogEvent[]): void {
    this.#fanout.publish(events);
    this.#tree.publish();
    this.#drain.wake();
    this.#metrics.count('colink_room_commits_total');
    this.#metrics.count('colink_room_events_appended_total', events.length);
    this.#tidy.touch();
  }

  #announced(userId: string, events: readonly LogEvent[]): void {
    this.#committed(events);
    this.#awareness.memberChanged(userId);
  }

  #joined(socket: S): void {
    this.#credentials.watch(socket);
    this.#awareness.joined(socket);
  }

  #closed(socket: S, code: CloseCode): void {
    this.#awareness.left(socket);
    this.#metrics.count('colink_room_sockets_closed_total', 1, { code: String(code) });
  }

  /** Nodes end their sockets of the old epoch once they hear of the new one. */
  #epochChanged(): void {
    this.#fanout.closeWhere(() => true, 4009, 'the epoch has changed');
    this.#tree.publish();
    this.#tidy.touch();
  }

  /** Whether nothing is left to do. */
  #tidyRound(): boolean {
    const quiet = [this.#ports.record.rest(), !this.#drain.isRunning, !this.#fanout.isReading, this.#tree.settle()].every(Boolean);
    if (quiet) this.#rest();
    this.#report(quiet);
    return quiet;
  }

  #rest(): void {
    this.#drain.rest();
    this.#conversation.rest();
  }

  #report(last: boolean): void {
    const { log } = this.#conversation;
    const gauges = { sockets: this.#fanout.size, watchers: this.#awareness.watching, undrained: log.undrainedEvents, undrainedSince: log.undrainedSince() };
    const report = this.#metrics.take(gauges, this.#ports.clock(), last);
    if (report !== null) this.#ports.report(report);
  }
}
