import type { CloseCode } from '../../protocol/close-codes.ts';
import type { SavedState } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { NoticesRead, ReadResult } from '../../protocol/frames.ts';
import type { InboxNote } from '../../protocol/inbox-events.ts';
import type { PresenceState } from '../../protocol/presence.ts';
import type { InboxMemberChange, InboxTelling, TellAnswer } from '../../protocol/tellings.ts';
import { Archive } from '../log/archive.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { DrainStep } from '../log/drain.ts';
import { LogDrain } from '../log/log-drain.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { Fanout } from '../sockets/fanout.ts';
import type { RoomSocket, SocketRecord } from '../sockets/socket-record.ts';
import { reconnectFrame } from '../sockets/frames.ts';
import { SocketCredentials } from '../sockets/socket-credentials.ts';
import { TidyLoop } from '../sockets/tidy-loop.ts';
import { BadgeFeed } from './badge-feed.ts';
import { ChannelLookup } from './channel-lookup.ts';
import type { InboxSocketRequest } from './inbox-api.ts';
import type { InboxAlarm } from './inbox-alarms.ts';
import { InboxChanges } from './inbox-changes.ts';
import { InboxCommands } from './inbox-commands.ts';
import { InboxMetrics } from './inbox-metrics.ts';
import type { InboxPorts } from './inbox-ports.ts';
import { InboxSeating } from './inbox-seating.ts';
import type { InboxState } from './inbox-state.ts';
import { InboxPresence } from './inbox-presence.ts';
import type { Wish } from './presence.ts';
import { isInView } from './viewing.ts';
import { Wakefulness } from './wakefulness.ts';

/**
 * One user, live: a log of what concerns them, and the badges of their channels. It knows no platform: SQLite, Postgres, sockets, clock and
 * random come in.
 */
export class Inbox<S extends RoomSocket> {
  readonly #state: InboxState;
  readonly #ports: InboxPorts<S>;
  readonly #fanout: Fanout<S>;
  readonly #commands: InboxCommands<S>;
  readonly #credentials: SocketCredentials<S>;
  readonly #lookup: ChannelLookup;
  readonly #changes: InboxChanges;
  readonly #badges: BadgeFeed<S>;
  readonly #drain: LogDrain;
  readonly #presence: InboxPresence<S>;
  readonly #wakefulness: Wakefulness;
  readonly #metrics: InboxMetrics;
  readonly #tidy: TidyLoop<S>;
  readonly #seating: InboxSeating<S>;

  get userId(): string {
    return this.#state.userId;
  }

  /** Of the newest event of the log. */
  get seq(): number {
    return this.#state.log.state.seq;
  }

  constructor(state: InboxState, ports: InboxPorts<S>) {
    const { record } = ports;
    const clock = (): number => ports.clock();
    const schedule = (ms: number, task: () => void): void => ports.schedule(ms, task);
    this.#state = state;
    this.#ports = ports;
    const archive = new Archive({
      eventsBetween: (after, before, limit) => record.eventsBetween(after, before, limit),
      poisonBetween: (after, before) => record.poisonBetween(after, before),
      failed: (error) => ports.warn('older events could not be read', { error: String(error) }),
    });
    this.#fanout = new Fanout(state.log, { read: (...range) => this.#tidy.guarded(archive.read(...range)) }, {
      clock, schedule, unsettled: () => this.#tidy.touch(), closed: (_, code, record) => this.#closed(code, record), caughtUp: (socket) => this.#badges.sendAll(socket),
    });
    this.#tidy = new TidyLoop(this.#fanout, { ...ports, round: () => this.#tidyRound() });
    this.#commands = new InboxCommands(this.#fanout, {
      clock,
      read: (...read) => this.read(...read),
      markUnread: (...unread) => this.markUnread(...unread),
      refresh: async (socket, ticket) => this.#counted(await this.#credentials.refresh(socket, ticket)),
      activity: (socket, activity) => this.activity(socket, activity),
      viewing: (socket, viewing) => this.#fanout.amend(socket, { viewing }),
    });
    this.#credentials = new SocketCredentials(this.#fanout, {
      clock,
      ...ports.alarms.of('auth'),
      redeem: (_, ticket) => ports.redeem(ticket),
      refusal: (actor) => this.#refusal(actor),
    });
    this.#lookup = new ChannelLookup(state.channels, (channelId) => record.findChannel(channelId), clock);
    this.#changes = new InboxChanges(state, {
      clock,
      isInView: (notice) => isInView(this.#fanout, ports, notice),
      committed: (events) => this.#committed(events),
      badgeChanged: (channelId) => this.#badges.changed(channelId),
    });
    this.#badges = new BadgeFeed(state, this.#fanout, { schedule, owed: () => this.#tidy.guard() });
    this.#drain = new LogDrain(state.log, record, {
      ...ports,
      setAlarm: (at) => ports.alarms.arm('drain', at),
      clearAlarm: () => ports.alarms.clear('drain'),
      observe: (step) => this.#observe(step),
      epochChanged: () => this.#fanout.closeWhere(() => true, 4009, 'the epoch has changed'),
    });
    this.#metrics = new InboxMetrics(state.userId, state.log.undrainedEvents > 0);
    this.#wakefulness = new Wakefulness(state, {
      clock,
      random: () => ports.random(),
      sockets: () => this.#fanout.size,
      wake: (version) => record.wake(version),
      counted: (badges) => void this.tell({ changes: [], notices: [], badges: [...badges] }),
      warn: (message, fields) => ports.warn(message, fields),
    });
    this.#presence = new InboxPresence(state.userId, this.#fanout, {
      clock,
      random: () => ports.random(),
      newId: (now) => state.newId(now),
      presences: ports.presences,
      alarms: ports.alarms,
      lastPing: (socket) => ports.lastPing(socket),
      tellRoom: (channelId, notice) => ports.tellRoom(channelId, notice),
      log: (event) => this.#touched(record.logPresence(event)),
      transition: (to, leaseExpired) => this.#transition(to, leaseExpired),
      warn: (message, fields) => ports.warn(message, fields),
    });
    this.#seating = new InboxSeating(this.#fanout, { log: state.log, archive, asking: () => this.#tidy.touch() }, this.#tidy, {
      clock,
      newId: (now) => state.newId(now),
      refusal: (actor) => this.#refusal(actor),
      activity: () => this.#presence.begin(),
      joined: (socket) => this.#joined(socket),
    });
  }

  /** Continues what an earlier instance left: its sockets, badges it owed them, and its undrained events. */
  resume(sockets: readonly (readonly [S, SocketRecord])[]): void {
    this.#ports.alarms.revive(this.#ports.clock());
    for (const [socket, record] of sockets) this.#fanout.adopt(socket, record, sockets.length);
    this.#credentials.check();
    this.#presence.resume();
    this.#metrics.found(this.#fanout.size);
    this.#badges.resume();
    this.#wakefulness.check();
    if (this.#state.log.undrainedEvents > 0) this.#drain.wake();
    if (this.#state.log.undrainedEvents > 0 || this.#wakefulness.isDue) this.#tidy.touch();
  }

  /** As `InboxApi`. */
  async read(actor: Actor, channelId: string, pos: number, generation?: number): Promise<Outcome<ReadResult>> {
    const end = await this.#endOf(actor, channelId, pos);
    // Asked once more where the room was: the user may have left, or the credential ended.
    const problem = await this.#channelRefusal(actor, channelId);
    if (problem !== null) return this.#counted({ problem });
    if ('problem' in end) return this.#counted({ problem: end.problem });
    return this.#counted(this.#state.log.traced(actor.traceparent, () => this.#changes.read(channelId, Math.min(pos, end.ok), generation)));
  }

  /** As `InboxApi`. */
  async markUnread(actor: Actor, channelId: string, pos: number, generation?: number): Promise<Outcome<ReadResult>> {
    const problem = await this.#channelRefusal(actor, channelId);
    return this.#counted(problem === null ? this.#state.log.traced(actor.traceparent, () => this.#changes.markUnread(channelId, pos, generation)) : { problem });
  }

  /** Marks notices as read up to this event of the log, or all (null). */
  readNotices(actor: Actor, upTo: number | null): Outcome<NoticesRead> {
    const problem = this.#refusal(actor);
    return this.#counted(problem === null ? this.#state.log.traced(actor.traceparent, () => this.#changes.readNotices(upTo)) : { problem });
  }

  /** Whether the user is at this device: what presence is made from. */
  activity(socket: S, state: 'active' | 'idle'): void {
    this.#presence.heard(socket, state);
    this.#tidy.touch();
  }

  /** What the user chose to be seen as. Repeating it, or an older choice, does nothing. */
  choosePresence(wish: Wish): Outcome<null> {
    if (wish.version <= this.#presence.wish.version) return { ok: null };
    const outcome = this.#changes.choosePresence(wish);
    if ('ok' in outcome) this.#presence.choose(wish);
    return outcome;
  }

  /** As `InboxApi`. */
  note(note: InboxNote, version: number): void {
    this.#changes.note(note, version);
  }

  /** As `InboxApi`. */
  savedChanged(state: SavedState): void {
    this.#changes.savedChanged(state);
  }

  applyMemberChange(change: InboxMemberChange): void {
    this.#changes.applyMemberChange(change);
  }

  /** Takes what the consumers have found for this user. All of it may be told again. */
  tell(telling: InboxTelling): TellAnswer {
    if (!this.#changes.tell(telling)) return { status: 'backlogged' };
    return this.#wakefulness.answer();
  }

  revokeCredential(credentialId: string): void {
    this.#fanout.closeWhere(({ actor }) => actor.credential_id === credentialId, 4001, 'the credential was revoked');
  }

  /** Asks all sockets to leave within that time and come back; how many there are. */
  prepareRestart(withinMs: number): number {
    return this.#fanout.sayAll(reconnectFrame(withinMs));
  }

  /** Admits a socket and serves it from its cursor on. `open` is called once it is certain to be admitted, in the same turn. */
  async join(request: InboxSocketRequest, open: () => S): Promise<Outcome<S>> {
    return await this.#seating.join(request, open);
  }

  async message(socket: S, message: string | ArrayBuffer): Promise<void> {
    await this.#commands.handle(socket, message);
  }

  left(socket: S): void {
    const record = this.#fanout.record(socket);
    this.#fanout.leave(socket);
    this.#presence.left(record);
    this.#tidy.touch();
  }

  async alarm(): Promise<void> {
    this.#tidy.reap();
    this.#tidy.touch();
    const work: Record<InboxAlarm, () => void | Promise<void>> = {
      drain: () => this.#drain.alarm(),
      auth: () => this.#credentials.check(),
      presence: () => this.#presence.update(),
      net: () => this.#tidy.guard(),
    };
    await this.#ports.alarms.ring(this.#ports.clock(), work, (purpose, error) => this.#ports.warn('alarm', { purpose, error: String(error) }));
  }

  #committed(events: readonly LogEvent[]): void {
    this.#tidy.touch();
    if (events.length === 0) return;
    this.#metrics.count('colink_inbox_events_appended_total', events.length);
    this.#fanout.publish(events);
    this.#drain.wake();
  }

  #refusal(actor: Actor): Problem | null {
    if (actor.user_id !== this.userId) return { code: 'forbidden' };
    return actor.expires_at <= this.#ports.clock() || this.#ports.isRevoked(actor.credential_id) ? { code: 'unauthenticated' } : null;
  }

  async #channelRefusal(actor: Actor, channelId: string): Promise<Problem | null> {
    return this.#refusal(actor) ?? (await this.#memberProblem(channelId)) ?? this.#refusal(actor);
  }

  /**
   * Where a marker that is wanted at `pos` may stand at most. What has been counted in a channel comes late, by the way through Postgres and the topic: who
   * has read a message on the room's socket is ahead of it, so the room itself is asked. A marker beyond the end would have what comes next pass for read.
   */
  async #endOf(actor: Actor, channelId: string, pos: number): Promise<Outcome<number>> {
    const problem = await this.#channelRefusal(actor, channelId);
    if (problem !== null) return { problem };
    const { last_pos, read_pos } = this.#state.channels.get(channelId);
    if (pos <= Math.max(last_pos, read_pos)) return { ok: pos };
    try {
      return await this.#ports.lastPosOf(channelId, actor);
    } catch {
      return { problem: { code: 'unavailable', retry_after: 1 } };
    }
  }

  async #memberProblem(channelId: string): Promise<Problem | null> {
    this.#tidy.touch();
    return await this.#lookup.refusal(channelId);
  }

  #observe(step: DrainStep): void {
    this.#report(this.#metrics.observe(step, this.#state.log.undrainedSince()));
  }

  #report(report: MetricsReport | null): void {
    if (report !== null) this.#ports.report(report);
  }

  #counted<T>(outcome: Outcome<T>): Outcome<T> {
    if ('problem' in outcome) this.#metrics.count('colink_inbox_commands_refused_total', 1, { code: outcome.problem.code });
    return outcome;
  }

  #closed(code: CloseCode, record: SocketRecord | undefined): void {
    this.#presence.left(record, code);
    this.#metrics.count('colink_inbox_sockets_closed_total', 1, { code: String(code) });
  }

  #transition(to: PresenceState, leaseExpired: boolean): void {
    this.#metrics.count('colink_presence_transitions_total', 1, { to });
    if (leaseExpired) this.#metrics.count('colink_presence_leases_expired_total');
  }

  /** A connection to Postgres is in use, and is to be closed soon after. */
  #touched<T>(call: Promise<T>): Promise<T> {
    this.#tidy.touch();
    return call;
  }

  #joined(socket: S): void {
    this.#credentials.watch(socket);
    this.#badges.sendAll(socket);
    this.#presence.update();
    this.#wakefulness.check();
  }

  /** Whether nothing is left to do. */
  #tidyRound(): boolean {
    this.#wakefulness.check();
    const quiet = this.#ports.record.rest() && !this.#drain.isRunning && !this.#wakefulness.isDue && !this.#fanout.isReading && !this.#state.owesBadges;
    if (quiet) this.#drain.rest();
    this.#report(this.#metrics.take(this.#fanout.size, this.#ports.clock(), quiet));
    return quiet;
  }
}
