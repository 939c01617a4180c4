import { integer } from '../../client/testing/random.ts';
import type { Actor } from '../../durable-objects/sockets/actor-api.ts';
import type { SocketRecord } from '../../durable-objects/sockets/socket-record.ts';
import type { SocketLimits } from '../../durable-objects/sockets/socket-limits.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { ClientFrame, InboxServerFrame, ServerFrame } from '../../protocol/frames.ts';
import type { Tickets } from './directory.ts';
import { Disk } from './disk.ts';
import type { Reach } from './record.ts';
import type { Schedule } from './schedule.ts';
import type { StoredChannel } from './stored-channel.ts';
import type { Trace } from './trace.ts';
import type { Told, Watch } from './watch.ts';
import type { Said, Wire } from './wire.ts';

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
  readonly limits: SocketLimits;
  readonly planted: Planted;
}

/** The object was reset while a call to it was under way, or could not be reached. */
export class PlatformFailure extends Error {}

/** What serves sockets: a room, or a node of it. */
export interface Core {
  message(wire: Wire, data: string): Promise<void>;
  left(wire: Wire): void;
}

/** One instance of the object. Once it is not alive, nothing it waits for comes, and nothing it does has an effect. */
export interface Life<C> {
  alive: boolean;
  core: C | null;
  opening: Promise<Outcome<C>> | null;
  readonly calls: Set<(error: PlatformFailure) => void>;
  timers: number;
}

interface Admitted extends Told {
  /** The sends on their way, by the id of their frame. */
  readonly sends: Map<string, string>;
}

/** The platform under one object: instances that come and go over storage and sockets that stay. */
export abstract class SimulatedObject<C extends Core, F extends ServerFrame | InboxServerFrame = ServerFrame> {
  readonly name: string;
  /** How far the object's clock is ahead of the world's, in milliseconds. */
  skew = 0;
  protected readonly ports: ObjectPorts;
  protected readonly disk: Disk;
  protected life: Life<C> | null = null;
  readonly #admitted = new Map<Wire, Admitted>();
  #cancelAlarm: () => void = () => {};

  constructor(name: string, ports: ObjectPorts) {
    this.name = name;
    this.ports = ports;
    this.disk = new Disk(
      (flush) => void ports.schedule.after(integer(ports.random, 6), flush),
      () => this.flushed(),
    );
  }

  get wires(): Wire[] {
    return [...this.#admitted.keys()];
  }

  /** Nothing is left to do: the platform may take the instance away, and nothing wakes it but what somebody does, or the end of a credential. */
  get sleeps(): boolean {
    return this.life === null || (this.life.timers === 0 && this.life.calls.size === 0);
  }

  /** One attempt at a call by RPC: it may be lost on its way there or back, or fall to a reset. */
  async call<T>(work: (core: C) => T | Promise<T>): Promise<Outcome<T>> {
    const { schedule, random, reach } = this.ports;
    await schedule.delay(integer(random, 10));
    if (random() < reach.lost) throw new PlatformFailure('lost on the way there');
    const answer = await this.perform(work);
    await schedule.delay(integer(random, 10));
    if (random() < reach.lost) throw new PlatformFailure('lost on the way back');
    return answer;
  }

  /** The process dies: what is not durable is gone, and so are the sockets. */
  crash(): void {
    const { trace, random } = this.ports;
    trace.note(() => `${this.name} crashes`);
    this.disk.crash();
    this.end();
    this.#cutAll(() => random() < 0.7);
  }

  /** The instance is taken away; what it wrote and said is out, its sockets stay. Not while it handles something: then the platform would end the sockets too. */
  evict(): void {
    if (this.life !== null && this.life.calls.size > 0) return;
    this.ports.trace.note(() => `${this.name} is evicted`);
    this.disk.flush();
    this.end();
  }

  /** What an instance finds in storage; null where it knows nothing. */
  protected abstract open(life: Life<C>): C | null;
  /** Finds out what it does not know. */
  protected abstract fill(life: Life<C>): Promise<Outcome<C>>;
  /** The alarm rang. */
  protected abstract ring(core: C, life: Life<C>): Promise<void>;
  /** What was written has become durable. */
  protected abstract flushed(): void;
  /** A frame leaves for a client. */
  protected abstract tells(told: Told, frame: F, said: Said): void;

  /** Sockets of an earlier instance. */
  protected found(): [Wire, SocketRecord][] {
    return this.wires.flatMap((wire): [Wire, SocketRecord][] => (wire.attachment === null ? [] : [[wire, wire.attachment]]));
  }

  protected accept(wire: Wire, actor: Actor): Wire {
    this.#admitted.set(wire, { actor, epoch: 0, seq: null, sends: new Map() });
    wire.attach({
      gate: (output) => this.gate(output),
      received: (from, data) => this.#received(from, data),
      left: (from) => this.#left(from),
      now: () => this.now(),
      leaves: (to, frame, said) => this.#leaves(to, frame, said),
    });
    return wire;
  }

  /** Runs `work` in the core and lets its answer out with what it wrote. */
  protected perform<T>(work: (core: C) => T | Promise<T>): Promise<Outcome<T>> {
    const life = this.#wake();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        if (!life.alive) return;
        this.gate(() => {
          life.calls.delete(reject);
          settle();
        });
      };
      life.calls.add(reject);
      this.#working(life, work).then(
        (outcome) => finish(() => resolve(outcome)),
        (error: unknown) => finish(() => reject(error)),
      );
    });
  }

  /** A call that this instance makes to another object: it leaves with what was written before, and its answer finds this instance or nobody. */
  protected reach<T>(life: Life<C>, call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.gate(() => {
        call().then(
          (value) => life.alive && resolve(value),
          (error: unknown) => life.alive && reject(error),
        );
      });
    });
  }

  protected now(): number {
    return this.ports.schedule.now() + this.skew;
  }

  protected after(life: Life<C>, ms: number, task: () => void): void {
    life.timers += 1;
    this.ports.schedule.after(ms, () => {
      if (!life.alive) return;
      life.timers -= 1;
      task();
    });
  }

  protected setAlarm(life: Life<C>, at: number | null): void {
    if (!life.alive) return;
    this.disk.setAlarm(at);
    this.#armAlarm();
  }

  protected restart(life: Life<C>, reason: string): void {
    if (!life.alive) return;
    this.ports.trace.note(() => `${this.name} restarts: ${reason}`);
    this.disk.flush();
    this.end();
    this.#cutAll(() => true);
  }

  protected lastPing(wire: Wire): number {
    return wire.pingedAt === 0 ? 0 : wire.pingedAt + this.skew;
  }

  protected gate(output: () => void): void {
    if (this.ports.planted.openGate === true) output();
    else this.disk.gate(output);
  }

  protected end(): void {
    const life = this.life;
    this.life = null;
    if (life === null) return;
    life.alive = false;
    for (const fail of life.calls) fail(new PlatformFailure('the object was reset'));
    this.#armAlarm();
  }

  #wake(): Life<C> {
    if (this.life !== null) return this.life;
    const life: Life<C> = { alive: true, core: null, opening: null, calls: new Set(), timers: 0 };
    this.life = life;
    life.core = this.open(life);
    return life;
  }

  async #working<T>(life: Life<C>, work: (core: C) => T | Promise<T>): Promise<Outcome<T>> {
    const core = await this.#open(life);
    return 'problem' in core ? core : { ok: await work(core.ok) };
  }

  async #open(life: Life<C>): Promise<Outcome<C>> {
    if (life.core !== null) return { ok: life.core };
    life.opening ??= this.fill(life).finally(() => (life.opening = null));
    return await life.opening;
  }

  #armAlarm(): void {
    this.#cancelAlarm();
    const at = this.disk.alarm;
    if (at !== null) this.#cancelAlarm = this.ports.schedule.after(at - this.now(), () => void this.#ring());
  }

  async #ring(): Promise<void> {
    this.disk.setAlarm(null);
    try {
      const life = this.#wake();
      const rung = await this.perform((core) => this.ring(core, life));
      if ('problem' in rung) throw new PlatformFailure(rung.problem.code);
    } catch {
      // The platform rings again where the handler did not come to its end.
      if (this.disk.alarm === null) this.disk.setAlarm(this.now() + 2_000);
      this.#armAlarm();
    }
  }

  #cutAll(noticed: () => boolean): void {
    for (const wire of this.wires) wire.cut({ client: noticed(), server: false });
    this.#admitted.clear();
  }

  #received(wire: Wire, data: string): void {
    const admitted = this.#admitted.get(wire);
    if (admitted === undefined) return;
    this.ports.trace.note(() => `${admitted.actor.user_id} says ${data}`);
    const frame: ClientFrame = JSON.parse(data);
    if (frame.type === 'typing') this.ports.watch.typed.set(admitted.actor.user_id, this.now());
    if (frame.type === 'send') admitted.sends.set(frame.id, frame.client_msg_id);
    this.perform((core) => core.message(wire, data)).catch(() => {});
  }

  #left(wire: Wire): void {
    if (!this.#admitted.delete(wire)) return;
    this.perform((core) => core.left(wire)).catch(() => {});
  }

  #leaves(wire: Wire, text: string, said: Said): void {
    const admitted = this.#admitted.get(wire);
    if (admitted === undefined) return;
    const { watch, trace } = this.ports;
    // A refresh has given the socket another credential.
    admitted.actor = wire.attachment?.actor ?? admitted.actor;
    trace.note(() => `${admitted.actor.user_id} is told by ${this.name}: ${text}`);
    const frame: F = JSON.parse(text);
    this.tells(admitted, frame, said);
    const clientMsgId = frame.type === 'result' ? admitted.sends.get(frame.re) : undefined;
    if (frame.type === 'result' && clientMsgId !== undefined && frame.ok !== undefined && 'message_id' in frame.ok) watch.acknowledges(admitted.actor, clientMsgId, frame.ok);
  }
}

/** The value of a call, or a failure of the platform. */
export async function valueOf<T>(answer: Promise<Outcome<T>>): Promise<T> {
  const outcome = await answer;
  if ('problem' in outcome) throw new PlatformFailure(outcome.problem.code);
  return outcome.ok;
}
