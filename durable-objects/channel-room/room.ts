import type { CloseCode } from '../../protocol/close-codes.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import { MAX_FRAME_EVENTS } from '../../protocol/limits.ts';
import { nodeName } from '../fanout-node/node-api.ts';
import { Archive, type ArchivedChunk } from '../log/archive.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { LogDrain } from '../log/log-drain.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import { FRAME_BYTES } from '../sockets/event-frames.ts';
import { Fanout } from '../sockets/fanout.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from '../sockets/socket-record.ts';
import { reconnectFrame, welcomeFrame } from '../sockets/frames.ts';
import { SocketCommands } from '../sockets/socket-commands.ts';
import { SocketCredentials } from '../sockets/socket-credentials.ts';
import { type SocketLimits, SWEEP_MS } from '../sockets/socket-limits.ts';
import { TidyLoop } from '../sockets/tidy-loop.ts';
import { isOf, type Whose } from '../sockets/whose.ts';
import type { PresenceNotice } from '../user-inbox/presence-api.ts';
import { Admissions } from './admissions.ts';
import { Awareness, type AwarenessPorts } from './awareness.ts';
import { accessProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { GroupCommit } from './group-commit.ts';
import { applyMemberChange, MembershipLookup } from './membership.ts';
import type { NodeStub } from './node-link.ts';
import type { NodeTable } from './node-table.ts';
import type { RoomAlarm } from './room-alarms.ts';
import type { ActorCommand, Admission, LogHead, MemberChange, Placement, SocketRequest } from './room-api.ts';
import { roomDrain, type RoomDrainPorts } from './room-drain.ts';
import { RoomMetrics } from './room-metrics.ts';
import { Tree } from './tree.ts';

export interface RoomPorts<S extends RoomSocket> extends Omit<RoomDrainPorts, 'epochChanged'>, Omit<AwarenessPorts, 'sweepLater'> {
  readonly nodes: NodeTable;
  node(node: number): NodeStub;
  readonly limits: SocketLimits;
  report(report: MetricsReport): void;
  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing(socket: S): number;
  /** As `InboxApi.redeemTicket` of this user. */
  redeem(userId: string, ticket: string): Promise<Redeemed | null>;
}

const lost: Outcome<CommandResult> = { problem: { code: 'internal' } };

/** One channel, live. It knows no platform: SQLite, Postgres, sockets, clock and random come in. */
export class Room<S extends RoomSocket> {
  readonly #conversation: Conversation;
  readonly #ports: RoomPorts<S>;
  readonly #commits: GroupCommit;
  readonly #archive: Archive;
  readonly #fanout: Fanout<S>;
  readonly #commands: SocketCommands<S>;
  readonly #credentials: SocketCredentials<S>;
  readonly #admissions: Admissions;
  readonly #tree: Tree;
  readonly #metrics: RoomMetrics;
  readonly #drain: LogDrain;
  readonly #awareness: Awareness<S>;
  readonly #tidy: TidyLoop<S>;

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
      execute: (actor, command) => this.execute(actor, command),
      refresh: (socket, ticket) => this.#credentials.refresh(socket, ticket),
      typing: (actor, threadId) => this.#awareness.typed(actor, threadId),
      watch: (socket, presence) => this.#awareness.watch(socket, presence),
    });
    this.#credentials = new SocketCredentials(this.#fanout, {
      clock,
      alarmAt: () => ports.alarms.at('auth'),
      setAlarm: (at) => ports.alarms.set('auth', at),
      clearAlarm: () => ports.alarms.clear('auth'),
      redeem: (userId, ticket) => ports.redeem(userId, ticket),
      refusal: (actor) => accessProblem(conversation, actor, clock()),
    });
    this.#admissions = new Admissions(conversation, this.#archive, new MembershipLookup(conversation, record, clock), { clock, asking: () => this.#tidy.touch() });
    this.#tree = new Tree(ports.nodes, log, {
      ...ports,
      setAlarm: (at) => ports.alarms.set('nodes', at),
      clearAlarm: () => ports.alarms.clear('nodes'),
    });
    this.#awareness = new Awareness(conversation, this.#fanout, this.#tree, { ...ports, sweepLater: () => this.#sweepLater() });
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
    const problem = await this.#admissions.refusal(actor);
    const outcome = problem === null ? await this.#commits.execute(actor, command) : { problem };
    if ('problem' in outcome) this.#countRefused(outcome.problem);
    else this.#awareness.done(actor.user_id, command);
    return outcome;
  }

  async executeEach(commands: readonly ActorCommand[]): Promise<(Outcome<CommandResult> | null)[]> {
    const now = this.#ports.clock();
    const problems = commands.map(({ actor }) => accessProblem(this.#conversation, actor, now));
    const executed = (await this.#commits.executeEach(commands.filter((_, index) => problems[index] === null))).values();
    const outcomes = problems.map((problem) => {
      if (problem === null) return executed.next().value ?? lost;
      return problem.code === 'unauthenticated' ? { problem } : null;
    });
    outcomes.forEach((outcome, index) => this.#settled(commands[index], outcome));
    return outcomes;
  }

  async executeBatch(actor: Actor, commands: readonly Command[]): Promise<Outcome<CommandResult[]>> {
    const problem = await this.#admissions.refusal(actor);
    const outcome = problem === null ? await this.#commits.executeBatch(actor, commands) : { problem };
    if ('problem' in outcome) this.#countRefused(outcome.problem);
    return outcome;
  }

  /** Resolves when it has taken effect on every socket. Rejects where a node could not be told: then it is to be repeated. */
  async applyMemberChange(change: MemberChange): Promise<void> {
    // What waits was sent before the change.
    this.#commits.flush();
    const events = applyMemberChange(this.#conversation, change, this.#ports.clock());
    const gone = this.#conversation.access.isMember(change.user_id) ? null : this.#closeWhere({ user_id: change.user_id }, 4003, 'removed from the channel');
    if (events.length > 0) {
      this.#committed(events);
      this.#awareness.memberChanged(change.user_id);
    }
    await gone;
  }

  /** As `applyMemberChange`. */
  async revokeCredential(credentialId: string, expiresAt: number): Promise<void> {
    this.#conversation.access.revoke(credentialId, expiresAt, this.#ports.clock());
    await this.#closeWhere({ credential_id: credentialId }, 4001, 'the credential was revoked');
  }

  /** Asks all sockets to leave within that time and come back; how many there are, on nodes too. */
  prepareRestart(withinMs: number): number {
    const frame = reconnectFrame(withinMs);
    this.#tree.tell({ frame });
    return this.#fanout.sayAll(frame) + this.#tree.sockets;
  }

  /**
   * Admits a socket and serves it from its cursor on: `open` is called once it is certain to be admitted, in the same turn. A room that has its fill of
   * sockets has it go to a node.
   */
  async join(request: SocketRequest, open: () => S): Promise<Outcome<S | Placement>> {
    if (this.#isFull()) return await this.#place(request.actor);
    const seated = await this.#admissions.admit(request, (admission) => ({ ok: this.#isFull() ? null : this.#welcome(request, admission, open()) }));
    if ('problem' in seated) return seated;
    return seated.ok === null ? await this.#place(request.actor) : { ok: seated.ok };
  }

  /** As `RoomOfNodes`. */
  async admit(node: number, request: SocketRequest): Promise<Outcome<Admission>> {
    return await this.#admissions.admit(request, (admission) => {
      this.#tidy.touch();
      return this.#tree.admit(node) ? { ok: admission } : { problem: { code: 'unavailable', retry_after: 1 } };
    });
  }

  /** As `RoomOfNodes`. */
  async redeem(userId: string, ticket: string): Promise<Redeemed | null> {
    const redeemed = await this.#ports.redeem(userId, ticket);
    return redeemed === null || accessProblem(this.#conversation, redeemed.actor, this.#ports.clock()) !== null ? null : redeemed;
  }

  /** As `RoomOfNodes`. */
  async eventsBetween(epoch: number, after: number, before: number, maxEvents: number, maxBytes: number): Promise<ArchivedChunk | null> {
    const { log } = this.#conversation;
    const [events, bytes] = [Math.min(maxEvents, before - 1 - after, MAX_FRAME_EVENTS), Math.min(maxBytes, FRAME_BYTES)];
    if (epoch !== log.state.epoch || events < 1) return null;
    if (!log.retains(after + 1)) {
      this.#tidy.touch();
      return await this.#archive.read(after, Math.min(before, log.state.firstSeq), events, bytes);
    }
    const found = log.since(after, events, bytes);
    return found.length === 0 ? null : { to: after + found.length, events: found };
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

  #welcome({ actor, next_ticket }: SocketRequest, admission: Admission, socket: S): S {
    const { session, epoch, seq } = admission;
    socket.send(welcomeFrame(admission, next_ticket));
    this.#fanout.join(socket, freshRecord({ session, actor, epoch }, seq));
    this.#credentials.watch(socket);
    this.#awareness.joined(socket);
    this.#tidy.touch();
    return socket;
  }

  async #closeWhere(whose: Whose, code: CloseCode, reason: string): Promise<void> {
    this.#fanout.closeWhere(({ actor }) => isOf(whose, actor), code, reason);
    await this.#tree.closeWhere(whose, code, reason);
  }

  #isFull(): boolean {
    return this.#tidy.hasLive(this.#ports.limits.room);
  }

  /** Nobody is sent on who would be refused there. */
  async #place(actor: Actor): Promise<Outcome<Placement>> {
    const refusal = await this.#admissions.refusal(actor);
    if (refusal !== null) return { problem: refusal };
    this.#tidy.touch();
    const placed = await this.#tree.place(this.#fanout.size);
    return 'problem' in placed ? placed : { ok: { node: placed.ok, name: nodeName(this.channelId, placed.ok) } };
  }

  #sweepLater(): void {
    const { alarms, clock } = this.#ports;
    if (alarms.at('sweep') === null) alarms.set('sweep', clock() + SWEEP_MS);
  }

  #settled(by: ActorCommand | undefined, outcome: Outcome<CommandResult> | null): void {
    if (outcome === null || by === undefined) return;
    if ('problem' in outcome) this.#countRefused(outcome.problem);
    else this.#awareness.done(by.actor.user_id, by.command);
  }

  #closed(socket: S, code: CloseCode): void {
    this.#awareness.left(socket);
    this.#metrics.count('colink_room_sockets_closed_total', 1, { code: String(code) });
  }

  #countRefused(problem: Problem): void {
    this.#metrics.count('colink_room_commands_refused_total', 1, { code: problem.code });
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
    const gauges = { sockets: this.#fanout.size, undrained: log.undrainedEvents, undrainedSince: log.undrainedSince() };
    const report = this.#metrics.take(gauges, this.#ports.clock(), last);
    if (report !== null) this.#ports.report(report);
  }
}
