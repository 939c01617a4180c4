import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { ReadResult } from '../../protocol/frames.ts';
import { MAX_UNDRAINED_BYTES, MAX_UNDRAINED_EVENTS } from '../../protocol/limits.ts';
import type { InboxMemberChange, InboxTelling, TellAnswer } from '../../protocol/tellings.ts';
import type { Alarms } from '../alarms.ts';
import { Archive } from '../log/archive.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { DrainStep } from '../log/drain.ts';
import { LogDrain, type LogDrainPorts } from '../log/log-drain.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import { Fanout } from '../sockets/fanout.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from '../sockets/socket-record.ts';
import { reconnectFrame, welcomeFrame } from '../sockets/frames.ts';
import { SocketCredentials } from '../sockets/socket-credentials.ts';
import { findStart, type Start } from '../sockets/start.ts';
import { TidyLoop } from '../sockets/tidy-loop.ts';
import { BadgeFeed, badgesFrames } from './badge-feed.ts';
import { moveMarker } from './badge-merge.ts';
import { ChannelLookup } from './channel-lookup.ts';
import type { InboxSocketRequest } from './inbox-api.ts';
import type { InboxAlarm } from './inbox-alarms.ts';
import { badgeOf } from './inbox-channels.ts';
import { InboxCommands } from './inbox-commands.ts';
import { InboxMetrics } from './inbox-metrics.ts';
import type { InboxRecord } from './inbox-record.ts';
import type { InboxState } from './inbox-state.ts';
import { InboxPresence } from './inbox-presence.ts';
import type { Wish } from './presence.ts';
import type { PresenceNotice } from './presence-api.ts';
import type { PresenceTable } from './presence-table.ts';
import { SocketGauge } from './socket-gauge.ts';
import { takeMemberChange, takeTelling } from './telling.ts';
import { Wakefulness } from './wakefulness.ts';

/** Sockets of one user: devices and tabs. */
const MAX_SOCKETS = 100;
const backlogged: Problem = { code: 'room_backlogged', detail: 'The inbox holds as many unstored events as it may', retry_after: 5 };

export interface InboxPorts<S extends RoomSocket> extends Omit<LogDrainPorts, 'observe' | 'epochChanged' | 'setAlarm' | 'clearAlarm'> {
  readonly alarms: Alarms<InboxAlarm>;
  readonly record: InboxRecord;
  isRevoked(credentialId: string): boolean;
  /** As `InboxApi.redeemTicket`. */
  redeem(ticket: string): Promise<Redeemed | null>;
  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing(socket: S): number;
  readonly presences: PresenceTable;
  report(report: MetricsReport): void;
  /** Tells a room; false: nobody there looks any more. */
  tellRoom(channelId: string, notice: PresenceNotice): Promise<boolean>;
}

/**
 * One user, live: a log of what concerns them, and the badges of their channels. It knows no platform: SQLite, Postgres, sockets, clock and
 * random come in.
 */
export class Inbox<S extends RoomSocket> {
  readonly #state: InboxState;
  readonly #ports: InboxPorts<S>;
  readonly #archive: Archive;
  readonly #fanout: Fanout<S>;
  readonly #commands: InboxCommands<S>;
  readonly #credentials: SocketCredentials<S>;
  readonly #lookup: ChannelLookup;
  readonly #badges: BadgeFeed;
  readonly #drain: LogDrain;
  readonly #gauge: SocketGauge;
  readonly #presence: InboxPresence<S>;
  readonly #wakefulness: Wakefulness;
  readonly #metrics: InboxMetrics;
  readonly #tidy: TidyLoop<S>;

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
    this.#archive = new Archive({
      eventsBetween: (after, before, limit) => record.eventsBetween(after, before, limit),
      poisonBetween: (after, before) => record.poisonBetween(after, before),
      failed: (error) => ports.warn('older events could not be read', { error: String(error) }),
    });
    this.#fanout = new Fanout(state.log, { read: (...range) => this.#tidy.guarded(this.#archive.read(...range)) }, {
      clock, schedule, unsettled: () => this.#tidy.touch(), closed: (_, code, record) => this.#presence.left(record, code), caughtUp: (socket) => this.#sendBadges(socket),
    });
    this.#tidy = new TidyLoop(this.#fanout, { ...ports, round: () => this.#tidyRound() });
    this.#commands = new InboxCommands(this.#fanout, {
      clock,
      read: (actor, channelId, pos) => this.read(actor, channelId, pos),
      refresh: (socket, ticket) => this.#credentials.refresh(socket, ticket),
      activity: (socket, activity) => this.activity(socket, activity),
    });
    this.#credentials = new SocketCredentials(this.#fanout, {
      clock,
      alarmAt: () => ports.alarms.at('auth'),
      setAlarm: (at) => ports.alarms.set('auth', at),
      clearAlarm: () => ports.alarms.clear('auth'),
      redeem: (_, ticket) => ports.redeem(ticket),
      refusal: (actor) => this.#refusal(actor),
    });
    this.#gauge = new SocketGauge(state.userId, (report) => ports.report(report));
    this.#lookup = new ChannelLookup(state.channels, (channelId) => record.findChannel(channelId), clock);
    this.#badges = new BadgeFeed({
      schedule,
      badge: (channelId) => badgeOf(state.channels.get(channelId)),
      send: (frame) => this.#fanout.tell(() => frame),
      owe: (owes) => this.#owe(owes),
    });
    this.#drain = new LogDrain(state.log, record, {
      ...ports,
      setAlarm: (at) => ports.alarms.set('drain', at),
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
      warn: (message, fields) => ports.warn(message, fields),
    });
  }

  /** Continues what an earlier instance left: its sockets, badges it owed them, and its undrained events. */
  resume(sockets: readonly (readonly [S, SocketRecord])[]): void {
    this.#ports.alarms.revive(this.#ports.clock());
    for (const [socket, record] of sockets) this.#fanout.adopt(socket, record, sockets.length);
    this.#credentials.check();
    this.#presence.resume();
    this.#gauge.found(this.#fanout.size);
    if (this.#state.owesBadges) this.#sendOwed();
    this.#wakefulness.check();
    if (this.#state.log.undrainedEvents > 0) this.#drain.wake();
    if (this.#state.log.undrainedEvents > 0 || this.#wakefulness.isDue) this.#tidy.touch();
  }

  /** Moves the read marker of a channel up to `pos`; it never goes down. */
  async read(actor: Actor, channelId: string, pos: number): Promise<Outcome<ReadResult>> {
    const problem = this.#refusal(actor) ?? (await this.#memberProblem(channelId)) ?? this.#refusal(actor);
    if (problem !== null) return { problem };
    const channel = this.#state.channels.get(channelId);
    if (pos <= channel.read_pos) return { ok: { read_pos: channel.read_pos } };
    if (this.#isBacklogged()) return { problem: backlogged };
    this.#commit([channelId], () => {
      this.#state.channels.put(moveMarker(channel, pos));
      this.#state.append({ type: 'read.moved', channel_id: channelId, read_pos: pos }, this.#ports.clock());
    });
    return { ok: { read_pos: pos } };
  }

  /** Whether the user is at this device: what presence is made from. */
  activity(socket: S, state: 'active' | 'idle'): void {
    this.#presence.heard(socket, state);
    this.#tidy.touch();
  }

  /** What the user chose to be seen as. Repeating it, or an older choice, does nothing. */
  choosePresence(wish: Wish): Outcome<null> {
    if (wish.version <= this.#presence.wish.version) return { ok: null };
    if (this.#isBacklogged()) return { problem: backlogged };
    const { choice, status } = wish;
    this.#commit([], () => this.#state.append({ type: 'presence.chosen', choice, status }, this.#ports.clock()));
    this.#presence.choose(wish);
    return { ok: null };
  }

  applyMemberChange(change: InboxMemberChange): void {
    this.#commit([change.channel_id], () => takeMemberChange(this.#state, change, this.#ports.clock()));
  }

  /** Takes what the consumers have found for this user. All of it may be told again. */
  tell(telling: InboxTelling): TellAnswer {
    if (telling.notices.length > 0 && this.#isBacklogged()) return { status: 'backlogged' };
    const touched = [...telling.changes, ...telling.notices, ...telling.badges].map(({ channel_id }) => channel_id);
    this.#commit(new Set(touched), () => takeTelling(this.#state, telling, this.#ports.clock()));
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
    this.#tidy.touch();
    const start = await findStart({ log: this.#state.log, archive: this.#archive, asking: () => this.#tidy.touch() }, request.since);
    if ('problem' in start) return start;
    const problem = this.#refusal(request.actor) ?? this.#capacityProblem();
    if (problem !== null) return { problem };
    return { ok: this.#welcome(request, start.ok, open()) };
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

  /** One transaction; then tells what it appended, and the badges among `channels` that it has changed. */
  #commit(channels: Iterable<string>, write: () => void): void {
    const before = [...channels].map((channelId) => badgeOf(this.#state.channels.get(channelId)));
    const events = this.#state.commit(write);
    if (events.length > 0) this.#committed(events);
    for (const badge of before) {
      if (JSON.stringify(badgeOf(this.#state.channels.get(badge.channel_id))) !== JSON.stringify(badge)) this.#badges.changed(badge.channel_id);
    }
    this.#tidy.touch();
  }

  #committed(events: readonly LogEvent[]): void {
    this.#fanout.publish(events);
    this.#drain.wake();
  }

  #refusal(actor: Actor): Problem | null {
    if (actor.user_id !== this.userId) return { code: 'forbidden' };
    return actor.expires_at <= this.#ports.clock() || this.#ports.isRevoked(actor.credential_id) ? { code: 'unauthenticated' } : null;
  }

  async #memberProblem(channelId: string): Promise<Problem | null> {
    this.#tidy.touch();
    return await this.#lookup.refusal(channelId);
  }

  #isBacklogged(): boolean {
    return this.#state.log.undrainedEvents >= MAX_UNDRAINED_EVENTS || this.#state.log.undrainedBytes >= MAX_UNDRAINED_BYTES;
  }

  #capacityProblem(): Problem | null {
    return this.#tidy.hasLive(MAX_SOCKETS) ? { code: 'unavailable', detail: 'The user has as many sockets as they may', retry_after: 30 } : null;
  }

  #welcome({ actor, next_ticket }: InboxSocketRequest, { seq, recovered }: Start, socket: S): S {
    const now = this.#ports.clock();
    const { epoch, seq: head } = this.#state.log.state;
    const session = this.#state.newId(now);
    socket.send(welcomeFrame({ session, epoch, seq, head, recovered }, next_ticket));
    this.#fanout.join(socket, { ...freshRecord({ session, actor, epoch }, seq), activity: this.#presence.begin() });
    this.#credentials.watch(socket);
    this.#sendBadges(socket);
    this.#presence.update();
    this.#wakefulness.check();
    return socket;
  }

  #sendBadges(socket: S): void {
    for (const frame of badgesFrames(this.#state.channels.badges(), true)) this.#fanout.tellSocket(socket, frame);
  }

  #sendOwed(): void {
    this.#state.setOwesBadges(false);
    for (const frame of badgesFrames(this.#state.channels.badges(), true)) this.#fanout.tell(() => frame);
  }

  #observe(step: DrainStep): void {
    const report = this.#metrics.observe(step, this.#state.log.undrainedSince());
    if (report !== null) this.#ports.report(report);
  }

  /** A connection to Postgres is in use, and is to be closed soon after. */
  #touched<T>(call: Promise<T>): Promise<T> {
    this.#tidy.touch();
    return call;
  }

  #owe(owes: boolean): void {
    this.#state.setOwesBadges(owes);
    if (owes) this.#tidy.guard();
  }

  /** Whether nothing is left to do. */
  #tidyRound(): boolean {
    this.#gauge.note(this.#fanout.size);
    this.#wakefulness.check();
    const quiet = this.#ports.record.rest() && !this.#drain.isRunning && !this.#wakefulness.isDue && !this.#fanout.isReading && !this.#state.owesBadges;
    if (quiet) this.#drain.rest();
    return quiet;
  }
}
