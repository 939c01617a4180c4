import type { CloseCode } from '../../protocol/close-codes.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import { MAX_FRAME_EVENTS } from '../../protocol/limits.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { LogDrain } from '../log/log-drain.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import { Archive } from '../log/archive.ts';
import type { PresenceNotice } from '../user-inbox/presence-api.ts';
import { Awareness, type AwarenessPorts } from './awareness.ts';
import { accessProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { Fanout, FRAME_BYTES, freshRecord, type RoomSocket, type SocketRecord } from '../sockets/fanout.ts';
import { welcomeFrame } from '../sockets/frames.ts';
import { GroupCommit } from './group-commit.ts';
import { applyMemberChange, MembershipLookup } from './membership.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { ActorCommand, MemberChange, SocketRequest } from './room-api.ts';
import type { RoomAlarm } from './room-alarms.ts';
import { roomDrain, type RoomDrainPorts } from './room-drain.ts';
import { RoomMetrics } from './room-metrics.ts';
import { SocketCredentials } from '../sockets/socket-credentials.ts';
import { SocketCommands } from '../sockets/socket-commands.ts';

/** Two open files a socket, of the 20,000 a local workerd has: it dies at about 9,900 sockets (measured 2026-11). */
const MAX_SOCKETS = 9_000;
/** How often an active room tidies up; a quiet one stops after one or two rounds. */
const TIDY_MS = 1_000;
/** How often an active room looks for dead sockets. A quiet one has nothing to send them. */
const REAP_MS = 60_000;

export interface RoomPorts<S extends RoomSocket> extends Omit<RoomDrainPorts, 'epochChanged'>, AwarenessPorts {
  report(report: MetricsReport): void;
  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing(socket: S): number;
  /** As `InboxApi.redeemTicket` of this user. */
  redeem(userId: string, ticket: string): Promise<Actor | null>;
}

const lost: Outcome<CommandResult> = { problem: { code: 'internal' } };

/** Where a new socket begins. */
interface Start {
  readonly seq: number;
  readonly recovered: boolean;
}

/** One channel, live. It knows no platform: SQLite, Postgres, sockets, clock and random come in. */
export class Room<S extends RoomSocket> {
  readonly #conversation: Conversation;
  readonly #ports: RoomPorts<S>;
  readonly #commits: GroupCommit;
  readonly #archive: Archive;
  readonly #fanout: Fanout<S>;
  readonly #commands: SocketCommands<S>;
  readonly #credentials: SocketCredentials<S>;
  readonly #lookup: MembershipLookup;
  readonly #metrics: RoomMetrics;
  readonly #drain: LogDrain;
  readonly #awareness: Awareness<S>;
  #tidying = false;
  #reapedAt = 0;

  get channelId(): string {
    return this.#conversation.channelId;
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
    this.#fanout = new Fanout(log, this.#archive, {
      clock,
      schedule: (ms, task) => ports.schedule(ms, task),
      unsettled: () => this.#touch(),
      closed: (socket, code) => this.#closed(socket, code),
      caughtUp: (socket) => this.#awareness.caughtUp(socket),
    });
    this.#commands = new SocketCommands(this.#fanout, {
      clock,
      execute: (actor, command) => this.execute(actor, command),
      refresh: (socket, ticket) => this.#credentials.refresh(socket, ticket),
      typing: (socket, threadId) => this.#awareness.typed(socket, threadId),
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
    this.#awareness = new Awareness(conversation, this.#fanout, ports);
    this.#lookup = new MembershipLookup(conversation, record, clock);
    this.#drain = roomDrain(conversation, this.#metrics, {
      ...ports,
      epochChanged: () => this.#fanout.closeWhere(() => true, 4009, 'the epoch has changed'),
    });
  }

  /** Continues what an earlier instance left: its sockets, and its undrained events. */
  resume(sockets: readonly (readonly [S, SocketRecord])[]): void {
    for (const [socket, record] of sockets) this.#fanout.adopt(socket, record, sockets.length);
    this.#awareness.resume();
    this.#credentials.check();
    if (this.#conversation.log.undrainedEvents === 0) return;
    this.#drain.wake();
    this.#touch();
  }

  async execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>> {
    const problem = await this.#refusal(actor);
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
    const problem = await this.#refusal(actor);
    const outcome = problem === null ? await this.#commits.executeBatch(actor, commands) : { problem };
    if ('problem' in outcome) this.#countRefused(outcome.problem);
    return outcome;
  }

  applyMemberChange(change: MemberChange): void {
    // What waits was sent before the change.
    this.#commits.flush();
    const events = applyMemberChange(this.#conversation, change, this.#ports.clock());
    if (!this.#conversation.access.isMember(change.user_id)) {
      this.#fanout.closeWhere(({ actor }) => actor.user_id === change.user_id, 4003, 'removed from the channel');
    }
    if (events.length === 0) return;
    this.#committed(events);
    this.#awareness.memberChanged(change.user_id);
  }

  revokeCredential(credentialId: string, expiresAt: number): void {
    this.#conversation.access.revoke(credentialId, expiresAt, this.#ports.clock());
    this.#fanout.closeWhere(({ actor }) => actor.credential_id === credentialId, 4001, 'the credential was revoked');
  }

  /** Admits a socket and serves it from its cursor on. `open` is called once it is certain to be admitted, in the same turn. */
  async join({ actor, since }: SocketRequest, open: () => S): Promise<Outcome<S>> {
    const refusal = await this.#refusal(actor);
    if (refusal !== null) return { problem: refusal };
    const start = await this.#start(since);
    if ('problem' in start) return start;
    const problem = accessProblem(this.#conversation, actor, this.#ports.clock()) ?? this.#capacityProblem();
    if (problem !== null) return { problem };
    return { ok: this.#welcome(actor, start.ok, open()) };
  }

  /** A member's presence, from their inbox. False: nobody looks, and the inbox is to tell this room no more. */
  presenceChanged(notice: PresenceNotice): boolean {
    return this.#awareness.notice(notice);
  }

  async message(socket: S, message: string | ArrayBuffer): Promise<void> {
    await this.#commands.handle(socket, message);
  }

  left(socket: S): void {
    this.#fanout.leave(socket);
    this.#awareness.left(socket);
    this.#touch();
  }

  async alarm(): Promise<void> {
    this.#reap();
    this.#touch();
    const work: Record<RoomAlarm, () => void | Promise<void>> = { drain: () => this.#drain.alarm(), auth: () => this.#credentials.check() };
    await Promise.all(this.#ports.alarms.due(this.#ports.clock()).map((purpose) => work[purpose]()));
  }

  #committed(events: readonly LogEvent[]): void {
    this.#fanout.publish(events);
    this.#drain.wake();
    this.#metrics.count('colink_room_commits_total');
    this.#metrics.count('colink_room_events_appended_total', events.length);
    this.#touch();
  }

  /** Why the actor is refused, once the room has learned what Postgres knows of them. */
  async #refusal(actor: Actor): Promise<Problem | null> {
    const problem = accessProblem(this.#conversation, actor, this.#ports.clock());
    if (problem === null || problem.code === 'unauthenticated') return problem;
    this.#touch();
    return (await this.#lookup.heal(actor.user_id)) ?? accessProblem(this.#conversation, actor, this.#ports.clock());
  }

  /** Honest about a resume (G4): all that was missed can be had, or the client is told to begin anew. */
  async #start(since: SocketRequest['since']): Promise<Outcome<Start>> {
    const { epoch, seq, drainedSeq } = this.#conversation.log.state;
    if (since !== null && since.epoch === epoch && since.seq <= seq) {
      const kept = await this.#isKept(since.seq);
      if (kept === 'unknown') return { problem: { code: 'unavailable', retry_after: 5 } };
      if (kept === 'whole') return { ok: { seq: since.seq, recovered: true } };
    }
    return { ok: { seq: drainedSeq, recovered: false } };
  }

  /** Whether what follows `seq` can be had: from the room's own log, or from Postgres, if that can be asked. */
  async #isKept(seq: number): Promise<'whole' | 'lost' | 'unknown'> {
    const { log } = this.#conversation;
    if (log.retains(seq + 1)) return 'whole';
    this.#touch();
    try {
      const chunk = await this.#archive.readOrThrow(seq, log.state.firstSeq, MAX_FRAME_EVENTS, FRAME_BYTES);
      return chunk === null ? 'lost' : 'whole';
    } catch {
      return 'unknown';
    }
  }

  #capacityProblem(): Problem | null {
    if (this.#fanout.size >= MAX_SOCKETS) this.#reap();
    return this.#fanout.size >= MAX_SOCKETS ? { code: 'unavailable', detail: 'The channel has as many sockets as it may', retry_after: 30 } : null;
  }

  #welcome(actor: Actor, { seq, recovered }: Start, socket: S): S {
    const now = this.#ports.clock();
    const { epoch, seq: head } = this.#conversation.log.state;
    const session = this.#conversation.newId(now);
    socket.send(welcomeFrame({ session, epoch, seq, head, recovered }));
    this.#fanout.join(socket, freshRecord({ session, actor, epoch }, seq));
    this.#credentials.watch(socket);
    this.#awareness.joined(socket);
    this.#touch();
    return socket;
  }

  #reap(): void {
    this.#reapedAt = this.#ports.clock();
    this.#fanout.reap((socket) => this.#ports.lastPing(socket));
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

  /** Something happened: tidy up soon. No timer is left in a quiet room, so that it can sleep. */
  #touch(): void {
    if (this.#tidying) return;
    this.#tidying = true;
    this.#ports.schedule(TIDY_MS, () => this.#tidy());
  }

  #tidy(): void {
    this.#tidying = false;
    if (this.#ports.clock() - this.#reapedAt >= REAP_MS) this.#reap();
    this.#fanout.settle();
    const quiet = this.#ports.record.rest() && !this.#drain.isRunning;
    if (quiet) this.#rest();
    else this.#touch();
    this.#report(quiet);
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
