import { integer } from '../../client/testing/random.ts';
import { Alarms } from '../../durable-objects/alarms.ts';
import { bootstrap } from '../../durable-objects/channel-room/bootstrap.ts';
import { Conversation } from '../../durable-objects/channel-room/conversation.ts';
import type { NodeStub } from '../../durable-objects/channel-room/node-link.ts';
import { NodeTable } from '../../durable-objects/channel-room/node-table.ts';
import { PresenceCache } from '../../durable-objects/channel-room/presence-cache.ts';
import { ROOM_ALARMS } from '../../durable-objects/channel-room/room-alarms.ts';
import { Room } from '../../durable-objects/channel-room/room.ts';
import type { RoomPorts } from '../../durable-objects/channel-room/room-ports.ts';
import type { RoomRecord } from '../../durable-objects/channel-room/room-record.ts';
import { EventLog } from '../../durable-objects/log/event-log.ts';
import type { Redeemed } from '../../durable-objects/sockets/actor-api.ts';
import type { WatchedPresence } from '../../durable-objects/user-inbox/presence-api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { ServerFrame } from '../../protocol/frames.ts';
import type { Since } from './gateway.ts';
import type { InboxObject } from './inbox-object.ts';
import { NodeObject } from './node-object.ts';
import { Asking, simulatedRecord } from './record.ts';
import { type Life, type ObjectPorts, PlatformFailure, SimulatedObject, valueOf } from './simulated-object.ts';
import type { Told } from './watch.ts';
import type { Said, Wire } from './wire.ts';

type SimulatedRoom = Room<Wire>;
/** Null: nobody has an inbox here. */
type InboxOf = (userId: string) => InboxObject | null;

/** The platform under the room of one channel, and its nodes. The shell in `channel-room.ts`, simulated. */
export class RoomObject extends SimulatedObject<SimulatedRoom> {
  readonly #nodes = new Map<number, NodeObject>();
  readonly #records = new WeakMap<Life<SimulatedRoom>, RoomRecord>();
  /** The newest event that was durable. */
  #captured = 0;
  #ids = 0;
  readonly #inboxOf: InboxOf;

  constructor(ports: ObjectPorts, inboxOf: InboxOf) {
    super('the room', ports);
    this.#inboxOf = inboxOf;
  }

  /** The room, and each of its nodes. */
  get objects(): (RoomObject | NodeObject)[] {
    return [this, ...this.#nodes.values()];
  }

  /** The oldest event that its log holds; null where the object knows nothing. */
  get firstSeq(): number | null {
    if (this.#undrained() === null) return null;
    return this.disk.sql.all<{ seq: number }>('SELECT first_seq AS seq FROM log_state')[0]?.seq ?? null;
  }

  /** A client's handshake, by way of a Worker that has authenticated it. */
  async connect(wire: Wire, redeemed: Redeemed, since: Since): Promise<boolean> {
    const joined = await this.perform((room) => room.join({ channel_id: room.channelId, ...redeemed, since }, () => this.accept(wire, redeemed.actor)));
    const outcome = 'problem' in joined ? joined : joined.ok;
    this.ports.trace.note(() => `handshake of ${redeemed.actor.user_id} since ${JSON.stringify(since)}: ${'problem' in outcome ? outcome.problem.code : 'node' in outcome.ok ? outcome.ok.name : 'joined'}`);
    if ('problem' in outcome) return false;
    return 'node' in outcome.ok ? await this.#node(outcome.ok.node).connect(wire, redeemed, since) : true;
  }

  /** Its storage is lost, if it is asleep and Postgres has everything: the room starts over in a new epoch. */
  wipe(): void {
    const { stored, watch } = this.ports;
    if (this.life !== null || this.#undrained() !== 0 || stored.place.drained_seq !== watch.channel.head) return;
    this.#lose();
  }

  /** No instance lives, and storage knows the channel. */
  get isAsleep(): boolean {
    return this.life === null && this.#undrained() !== null;
  }

  /** Of its log, as storage knows it. */
  get epoch(): number {
    return this.disk.sql.all<{ epoch: number }>('SELECT epoch FROM log_state')[0]?.epoch ?? 0;
  }

  /** Its storage is lost with whatever Postgres does not have. */
  loseAll(): void {
    const { stored, watch } = this.ports;
    if (!this.isAsleep) return;
    const { epoch } = this;
    this.#lose();
    watch.loses(stored.place.drained_seq, epoch);
    this.#captured = Math.min(this.#captured, stored.place.drained_seq);
  }

  /** Everything drained is older than the log retains, as it is after 20,000 events; not while a restored Postgres needs it again. */
  trim(): void {
    const undrained = this.life === null ? this.#undrained() : null;
    if (undrained === null || this.ports.stored.place.drained_seq < this.#captured - undrained) return;
    this.ports.trace.note(() => 'the log is trimmed');
    const next = `coalesce((SELECT start_offset FROM events WHERE seq = drained_seq + 1), end_offset)`;
    this.disk.sql.run(`UPDATE log_state SET first_offset = ${next}, first_seq = drained_seq + 1`);
    this.disk.sql.run('DELETE FROM events WHERE seq < (SELECT first_seq FROM log_state)');
    this.disk.flush();
  }

  protected override open(life: Life<SimulatedRoom>): SimulatedRoom | null {
    const conversation = Conversation.open(this.disk.sql, { newId: (now) => this.#newId(now) });
    if (conversation === null) return null;
    const room = new Room<Wire>(conversation, this.#roomPorts(life));
    room.resume(this.found());
    return room;
  }

  protected override async fill(life: Life<SimulatedRoom>): Promise<Outcome<SimulatedRoom>> {
    try {
      await bootstrap(this.disk.sql, this.#record(life), this.ports.stored.channelId);
    } catch {
      return { problem: { code: 'unavailable', retry_after: 1 } };
    }
    // What it holds is known to be in Postgres.
    this.#captured = Math.max(this.#captured, EventLog.open(this.disk.sql).state.seq);
    life.core = this.open(life);
    return life.core === null ? { problem: { code: 'internal' } } : { ok: life.core };
  }

  protected override ring(room: SimulatedRoom): Promise<void> {
    return room.alarm();
  }

  protected override tells(told: Told, frame: ServerFrame, said: Said): void {
    this.ports.watch.tellsMember(told, frame, said);
    this.ports.watch.tellsTyping(told, frame, said);
  }

  protected override flushed(): void {
    if (this.#undrained() === null) return;
    const rows = this.disk.sql.all<{ seq: number; json: string }>('SELECT seq, json FROM events WHERE seq > ? ORDER BY seq', this.#captured);
    for (const { seq, json } of rows) this.ports.watch.becameDurable(this.ports.watch.channel, seq, json);
    this.#captured = rows.at(-1)?.seq ?? this.#captured;
  }

  #lose(): void {
    this.ports.trace.note(() => 'the storage of the room is lost');
    Conversation.forget(this.disk.sql);
    this.disk.flush();
  }

  /** Events that Postgres does not have; null where the object knows nothing. */
  #undrained(): number | null {
    const found = this.disk.sql.all<{ n: number }>(`SELECT count(*) AS n FROM sqlite_master WHERE name = 'room_state'`);
    if (found[0]?.n !== 1) return null;
    return EventLog.open(this.disk.sql).undrainedEvents;
  }

  #record(life: Life<SimulatedRoom>): RoomRecord {
    const { schedule, random, stored, reach, watch } = this.ports;
    const known = this.#records.get(life) ?? simulatedRecord(stored, new Asking({ schedule, random, reach, alive: () => life.alive }), (events, epoch) => watch.drained(watch.channel, events, epoch));
    this.#records.set(life, known);
    return known;
  }

  #roomPorts(life: Life<SimulatedRoom>): RoomPorts<Wire> {
    const { random, planted, limits } = this.ports;
    return {
      clock: () => this.now(),
      random,
      schedule: (ms, task) => this.after(life, ms, task),
      durable: () => (planted.falseDurability === true ? Promise.resolve() : this.disk.durable()),
      alarms: new Alarms(this.disk.sql, ROOM_ALARMS, { setAlarm: (at) => this.setAlarm(life, at), clearAlarm: () => this.setAlarm(life, null) }),
      record: this.#record(life),
      nodes: new NodeTable(this.disk.sql),
      node: (node) => this.#stub(life, node),
      limits,
      report: () => {},
      warn: (message, fields) => this.ports.trace.note(() => `the room warns: ${message} ${JSON.stringify(fields)}`),
      lastPing: (wire) => this.lastPing(wire),
      redeem: (_, ticket) => this.#redeem(ticket),
      presences: new PresenceCache(this.disk.sql),
      watchInbox: (userId) => this.#watchInbox(life, userId),
      restart: (reason, forget) => this.#restart(life, reason, forget),
    };
  }

  #restart(life: Life<SimulatedRoom>, reason: string, forget: boolean): void {
    if (forget && life.alive) Conversation.forget(this.disk.sql);
    this.restart(life, reason);
  }

  /** Any number names an object, which there is as soon as somebody calls it. */
  #node(node: number): NodeObject {
    const known = this.#nodes.get(node) ?? new NodeObject(node, this.ports, (work) => this.call(work));
    this.#nodes.set(node, known);
    return known;
  }

  #watchInbox(life: Life<SimulatedRoom>, userId: string): Promise<WatchedPresence> {
    const inbox = this.#inboxOf(userId);
    if (inbox === null) return Promise.reject(new PlatformFailure('there is no inbox'));
    this.ports.trace.note(() => `the room asks ${inbox.name} who is present`);
    return this.reach(life, () => valueOf(inbox.call((shell) => shell.watchPresence(this.ports.stored.channelId))));
  }

  #stub(life: Life<SimulatedRoom>, node: number): NodeStub {
    const object = this.#node(node);
    return {
      publish: (batch) => this.reach(life, () => valueOf(object.call((it) => it.publish(batch)))),
      tell: (telling) => this.reach(life, () => valueOf(object.call((it) => it.tell(telling)))),
      closeWhere: (whose, code, reason) => this.reach(life, () => valueOf(object.call((it) => it.closeWhere(whose, code, reason)))),
    };
  }

  /** A call to the user's inbox. */
  async #redeem(ticket: string): Promise<Redeemed | null> {
    const { schedule, random, reach, tickets } = this.ports;
    await schedule.delay(integer(random, 10));
    const redeemed = tickets.redeem(ticket);
    await schedule.delay(integer(random, 10));
    if (random() < reach.lost) throw new PlatformFailure('lost on the way back');
    return redeemed;
  }

  #newId(now: number): string {
    this.#ids += 1;
    const [time, count] = [now.toString(16).padStart(12, '0'), this.#ids.toString(16).padStart(12, '0')];
    return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${count}`;
  }
}
