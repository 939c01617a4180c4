import { integer } from '../../client/testing/random.ts';
import { Alarms } from '../../durable-objects/alarms.ts';
import { bootstrap } from '../../durable-objects/channel-room/bootstrap.ts';
import { Conversation } from '../../durable-objects/channel-room/conversation.ts';
import { PresenceCache } from '../../durable-objects/channel-room/presence-cache.ts';
import { NodeTable } from '../../durable-objects/channel-room/node-table.ts';
import { ROOM_ALARMS } from '../../durable-objects/channel-room/room-alarms.ts';
import { Room, type RoomPorts } from '../../durable-objects/channel-room/room.ts';
import type { RoomRecord } from '../../durable-objects/channel-room/room-record.ts';
import type { Actor } from '../../durable-objects/sockets/actor-api.ts';
import type { SocketRecord } from '../../durable-objects/sockets/fanout.ts';
import { SOCKET_LIMITS } from '../../durable-objects/sockets/socket-limits.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { ClientFrame, ServerFrame } from '../../protocol/frames.ts';
import type { Tickets } from './directory.ts';
import { Disk } from './disk.ts';
import { type Reach, simulatedRecord } from './record.ts';
import type { Schedule } from './schedule.ts';
import type { StoredChannel } from './stored-channel.ts';
import type { Trace } from './trace.ts';
import type { Told, Watch } from './watch.ts';
import { Wire } from './wire.ts';

/** A fault that is built in on purpose, to see whether the simulation finds it: each alters what the platform promises to the core. */
export interface Planted {
  /** Answers and frames leave before what they rest on is durable. */
  readonly openGate?: boolean;
  /** The drain is told that all is durable when it is not. */
  readonly falseDurability?: boolean;
}

export interface ObjectPorts {
  readonly schedule: Schedule;
  readonly random: () => number;
  readonly stored: StoredChannel;
  readonly reach: Reach;
  readonly watch: Watch;
  readonly trace: Trace;
  readonly tickets: Tickets;
  readonly planted: Planted;
}

/** The object was reset while a call to it was under way, or could not be reached. */
export class PlatformFailure extends Error {}

interface Instance {
  alive: boolean;
  readonly record: RoomRecord;
  room: Room<Wire> | null;
  opening: Promise<Outcome<Room<Wire>>> | null;
  readonly calls: Set<(error: PlatformFailure) => void>;
  timers: number;
}

interface Admitted extends Told {
  /** The sends on their way, by the id of their frame. */
  readonly sends: Map<string, string>;
}

/** The platform under the room of one channel: instances that come and go over storage and sockets that stay. The shell in `channel-room.ts`, simulated. */
export class RoomObject {
  readonly #ports: ObjectPorts;
  readonly #disk: Disk;
  readonly #admitted = new Map<Wire, Admitted>();
  #instance: Instance | null = null;
  #captured = 0;
  #ids = 0;
  #cancelAlarm: () => void = () => {};
  /** How far the object's clock is ahead of the world's, in milliseconds. */
  skew = 0;

  constructor(ports: ObjectPorts) {
    this.#ports = ports;
    this.#disk = new Disk(
      (flush) => void ports.schedule.after(integer(ports.random, 6), flush),
      () => this.#capture(),
    );
  }

  get wires(): Wire[] {
    return [...this.#admitted.keys()];
  }

  /** Nothing is left to do: the platform may take the instance away, and nothing wakes it but what somebody does, or the end of a credential. */
  get sleeps(): boolean {
    return this.#instance === null || (this.#instance.timers === 0 && this.#instance.calls.size === 0 && this.#undrained() === 0);
  }

  /** One attempt at a call by RPC: it may be lost on its way there or back, or fall to a reset. */
  async call<T>(work: (room: Room<Wire>) => T | Promise<T>): Promise<Outcome<T>> {
    const { schedule, random, reach } = this.#ports;
    await schedule.delay(integer(random, 10));
    if (random() < reach.lost) throw new PlatformFailure('lost on the way there');
    const answer = await this.#perform(work);
    await schedule.delay(integer(random, 10));
    if (random() < reach.lost) throw new PlatformFailure('lost on the way back');
    return answer;
  }

  /** A client's handshake, by way of a Worker that has authenticated it. */
  async connect(wire: Wire, actor: Actor, since: { epoch: number; seq: number } | null): Promise<boolean> {
    const { trace } = this.#ports;
    const joined = await this.#perform((room) =>
      room.join({ channel_id: room.channelId, actor, since }, () => {
        this.#admitted.set(wire, { actor, epoch: 0, seq: null, sends: new Map() });
        return wire;
      }),
    );
    const outcome = 'problem' in joined ? joined : joined.ok;
    trace.note(() => `handshake of ${actor.user_id} since ${JSON.stringify(since)}: ${'problem' in outcome ? outcome.problem.code : 'joined'}`);
    return 'ok' in outcome;
  }

  wire(): Wire {
    const { schedule, random } = this.#ports;
    return new Wire({
      schedule,
      random,
      server: {
        gate: (output) => this.#gate(output),
        received: (wire, data) => this.#received(wire, data),
        left: (wire) => this.#left(wire),
        now: () => this.#now(),
        leaves: (wire, frame, saidAt) => this.#leaves(wire, frame, saidAt),
      },
    });
  }

  /** The process dies: what is not durable is gone, and so are the sockets. */
  crash(): void {
    const { trace, random } = this.#ports;
    trace.note(() => 'the room crashes');
    this.#disk.crash();
    this.#end();
    for (const wire of this.wires) wire.cut({ client: random() < 0.7, server: false });
    this.#admitted.clear();
  }

  /** The instance is taken away; what it wrote and said is out, its sockets stay. */
  evict(): void {
    this.#ports.trace.note(() => 'the room is evicted');
    this.#disk.flush();
    this.#end();
  }

  /** Its storage is lost, if it is asleep and Postgres has everything: the room starts over in a new epoch. */
  wipe(): void {
    const { stored, watch, trace } = this.#ports;
    if (this.#instance !== null || this.#undrained() !== 0 || stored.place.drained_seq !== watch.head) return;
    trace.note(() => 'the storage of the room is lost');
    Conversation.forget(this.#disk.sql);
    this.#disk.flush();
  }

  /** The oldest event that its log holds; null where the object knows nothing. */
  get firstSeq(): number | null {
    if (this.#undrained() === null) return null;
    return this.#disk.sql.all<{ seq: number }>('SELECT first_seq AS seq FROM log_state')[0]?.seq ?? null;
  }

  /** Everything drained is older than the log retains, as it is after 20,000 events; not while a restored Postgres needs it again. */
  trim(): void {
    const undrained = this.#instance === null ? this.#undrained() : null;
    if (undrained === null || this.#ports.stored.place.drained_seq < this.#captured - undrained) return;
    this.#ports.trace.note(() => 'the log is trimmed');
    const next = `coalesce((SELECT start_offset FROM events WHERE seq = drained_seq + 1), end_offset)`;
    this.#disk.sql.run(`UPDATE log_state SET first_offset = ${next}, first_seq = drained_seq + 1`);
    this.#disk.sql.run('DELETE FROM events WHERE seq < (SELECT first_seq FROM log_state)');
    this.#disk.flush();
  }

  /** Events that Postgres does not have; null where the object knows nothing. */
  #undrained(): number | null {
    const found = this.#disk.sql.all<{ n: number }>(`SELECT count(*) AS n FROM sqlite_master WHERE name = 'room_state'`);
    if (found[0]?.n !== 1) return null;
    return this.#disk.sql.all<{ n: number }>('SELECT seq - drained_seq AS n FROM log_state')[0]?.n ?? null;
  }

  /** Runs `work` in the room and lets its answer out with what it wrote. */
  #perform<T>(work: (room: Room<Wire>) => T | Promise<T>): Promise<Outcome<T>> {
    const instance = this.#wake();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        if (!instance.alive) return;
        this.#gate(() => {
          instance.calls.delete(reject);
          settle();
        });
      };
      instance.calls.add(reject);
      this.#working(instance, work).then(
        (outcome) => finish(() => resolve(outcome)),
        (error: unknown) => finish(() => reject(error)),
      );
    });
  }

  async #working<T>(instance: Instance, work: (room: Room<Wire>) => T | Promise<T>): Promise<Outcome<T>> {
    const room = await this.#open(instance);
    return 'problem' in room ? room : { ok: await work(room.ok) };
  }

  async #open(instance: Instance): Promise<Outcome<Room<Wire>>> {
    if (instance.room !== null) return { ok: instance.room };
    instance.opening ??= this.#bootstrap(instance).finally(() => (instance.opening = null));
    return await instance.opening;
  }

  async #bootstrap(instance: Instance): Promise<Outcome<Room<Wire>>> {
    const { channelId } = this.#ports.stored;
    try {
      await bootstrap(this.#disk.sql, instance.record, channelId);
    } catch {
      return { problem: { code: 'unavailable', retry_after: 1 } };
    }
    // What it holds is known to be in Postgres.
    this.#captured = Math.max(this.#captured, this.#disk.sql.all<{ seq: number }>('SELECT seq FROM log_state')[0]?.seq ?? 0);
    instance.room = this.#openStored(instance);
    return instance.room === null ? { problem: { code: 'internal' } } : { ok: instance.room };
  }

  #wake(): Instance {
    if (this.#instance !== null) return this.#instance;
    const { schedule, random, stored, reach, watch } = this.#ports;
    const record = simulatedRecord({ schedule, random, stored, reach, alive: () => instance.alive, drained: (events) => watch.drained(events) });
    const instance: Instance = { alive: true, record, room: null, opening: null, calls: new Set(), timers: 0 };
    this.#instance = instance;
    instance.room = this.#openStored(instance);
    return instance;
  }

  #openStored(instance: Instance): Room<Wire> | null {
    const conversation = Conversation.open(this.#disk.sql, { newId: (now) => this.#newId(now) });
    if (conversation === null) return null;
    const room = new Room<Wire>(conversation, this.#roomPorts(instance));
    const sockets = this.wires.flatMap((wire): [Wire, SocketRecord][] => (wire.attachment === null ? [] : [[wire, wire.attachment]]));
    room.resume(sockets);
    return room;
  }

  #roomPorts(instance: Instance): RoomPorts<Wire> {
    const { random, planted } = this.#ports;
    return {
      clock: () => this.#now(),
      random,
      schedule: (ms, task) => this.#after(instance, ms, task),
      durable: () => (planted.falseDurability === true ? Promise.resolve() : this.#disk.durable()),
      alarms: new Alarms(this.#disk.sql, ROOM_ALARMS, {
        setAlarm: (at) => instance.alive && this.#setAlarm(at),
        clearAlarm: () => instance.alive && this.#setAlarm(null),
      }),
      record: instance.record,
      // A room of so few sockets has no nodes.
      nodes: new NodeTable(this.#disk.sql),
      node: () => {
        throw new Error('there are no nodes');
      },
      limits: SOCKET_LIMITS,
      report: () => {},
      warn: (message, fields) => this.#ports.trace.note(() => `room warns: ${message} ${JSON.stringify(fields)}`),
      lastPing: (wire) => (wire.pingedAt === 0 ? 0 : wire.pingedAt + this.skew),
      redeem: (_, ticket) => this.#redeem(ticket),
      presences: new PresenceCache(this.#disk.sql),
      // No client of these histories looks who is present.
      watchInbox: () => Promise.reject(new PlatformFailure('there is no inbox')),
      restart: (reason, forget) => this.#restart(instance, reason, forget),
    };
  }

  /** A call to the user's inbox. */
  async #redeem(ticket: string): Promise<Actor | null> {
    const { schedule, random, reach, tickets } = this.#ports;
    await schedule.delay(integer(random, 10));
    const actor = tickets.redeem(ticket);
    await schedule.delay(integer(random, 10));
    if (random() < reach.lost) throw new PlatformFailure('lost on the way back');
    return actor;
  }

  #now(): number {
    return this.#ports.schedule.now() + this.skew;
  }

  #after(instance: Instance, ms: number, task: () => void): void {
    instance.timers += 1;
    this.#ports.schedule.after(ms, () => {
      if (!instance.alive) return;
      instance.timers -= 1;
      task();
    });
  }

  #setAlarm(at: number | null): void {
    this.#disk.setAlarm(at);
    this.#armAlarm();
  }

  #armAlarm(): void {
    this.#cancelAlarm();
    const at = this.#disk.alarm;
    if (at !== null) this.#cancelAlarm = this.#ports.schedule.after(at - this.#now(), () => void this.#ring());
  }

  async #ring(): Promise<void> {
    this.#disk.setAlarm(null);
    try {
      const rung = await this.#perform((room) => room.alarm());
      if ('problem' in rung) throw new PlatformFailure(rung.problem.code);
    } catch {
      // The platform rings again where the handler did not come to its end.
      if (this.#disk.alarm === null) this.#setAlarm(this.#now() + 2_000);
    }
  }

  #restart(instance: Instance, reason: string, forget: boolean): void {
    if (!instance.alive) return;
    this.#ports.trace.note(() => `the room restarts: ${reason}`);
    if (forget) Conversation.forget(this.#disk.sql);
    this.#disk.flush();
    this.#end();
    for (const wire of this.wires) wire.cut({ client: true, server: false });
    this.#admitted.clear();
  }

  #end(): void {
    const instance = this.#instance;
    this.#instance = null;
    if (instance === null) return;
    instance.alive = false;
    for (const fail of instance.calls) fail(new PlatformFailure('the object was reset'));
    this.#armAlarm();
  }

  #gate(output: () => void): void {
    if (this.#ports.planted.openGate === true) output();
    else this.#disk.gate(output);
  }

  #received(wire: Wire, data: string): void {
    const admitted = this.#admitted.get(wire);
    if (admitted === undefined) return;
    this.#ports.trace.note(() => `${admitted.actor.user_id} says ${data}`);
    const frame: ClientFrame = JSON.parse(data);
    if (frame.type === 'send') admitted.sends.set(frame.id, frame.client_msg_id);
    this.#perform((room) => room.message(wire, data)).catch(() => {});
  }

  #left(wire: Wire): void {
    if (!this.#admitted.delete(wire)) return;
    this.#perform((room) => room.left(wire)).catch(() => {});
  }

  #leaves(wire: Wire, text: string, saidAt: number): void {
    const admitted = this.#admitted.get(wire);
    if (admitted === undefined) return;
    const { watch, trace } = this.#ports;
    // A refresh has given the socket another credential.
    admitted.actor = wire.attachment?.actor ?? admitted.actor;
    trace.note(() => `${admitted.actor.user_id} is told ${text}`);
    const frame: ServerFrame = JSON.parse(text);
    watch.tells(admitted, frame, saidAt);
    const clientMsgId = frame.type === 'result' ? admitted.sends.get(frame.re) : undefined;
    if (frame.type === 'result' && clientMsgId !== undefined && frame.ok !== undefined && 'message_id' in frame.ok) watch.acknowledges(admitted.actor, clientMsgId, frame.ok);
  }

  #newId(now: number): string {
    this.#ids += 1;
    const [time, count] = [now.toString(16).padStart(12, '0'), this.#ids.toString(16).padStart(12, '0')];
    return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${count}`;
  }

  #capture(): void {
    if (this.#undrained() === null) return;
    const rows = this.#disk.sql.all<{ seq: number; json: string }>('SELECT seq, json FROM events WHERE seq > ? ORDER BY seq', this.#captured);
    for (const { seq, json } of rows) this.#ports.watch.becameDurable(seq, json);
    this.#captured = rows.at(-1)?.seq ?? this.#captured;
  }
}

