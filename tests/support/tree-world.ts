import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import { nodeSqlite } from './node-sqlite.ts';
import { ALICE, CHANNEL, NOW } from './room-core.ts';
import { Alarms } from '../../durable-objects/alarms.ts';
import type { NodeStub } from '../../durable-objects/channel-room/node-link.ts';
import { NodeTable } from '../../durable-objects/channel-room/node-table.ts';
import { Tree } from '../../durable-objects/channel-room/tree.ts';
import type { ArchivedChunk } from '../../durable-objects/log/archive.ts';
import type { SqlDriver } from '../../durable-objects/log/sql-driver.ts';
import type { LogEvent } from '../../durable-objects/log/event-log.ts';
import type { FanoutLog } from '../../durable-objects/sockets/fanout-log.ts';
import type { SocketRecord } from '../../durable-objects/sockets/socket-record.ts';
import { Node } from '../../durable-objects/fanout-node/node.ts';
import { Person, Wire } from './tree-people.ts';
import { NODE_ALARMS, type NodeAlarm, type NodeRoom } from '../../durable-objects/fanout-node/node-ports.ts';

/** Most events that the room's log retains; the others are in its archive. */
const RETAINED = 60;
const LIMITS = { node: 4, channel: 24 };

interface Life {
  alive: boolean;
}

/** The core of a room's tree and of its nodes, on a fake clock, over calls that are late and get lost, with instances that end at any moment. */
export class TreeWorld {
  readonly violations: string[] = [];
  readonly #random: () => number;
  readonly #events: LogEvent[] = [];
  readonly #table = new NodeTable(nodeSqlite());
  readonly #nodes = new Map<number, { readonly node: Node<Wire>; readonly life: Life }>();
  readonly #people: Person[] = [];
  readonly #nodeStores = new Map<number, SqlDriver>();
  readonly #nodeAlarms = new Map<number, number>();
  readonly #alarms = new Map<number, Alarms<NodeAlarm>>();
  #wires: Wire[] = [];
  #room: { readonly tree: Tree; readonly life: Life; tidying: boolean } | null = null;
  #timers: { readonly at: number; readonly task: () => void }[] = [];
  #alarm: number | null = null;
  #now = NOW;
  /** Nothing is lost any more, and everybody acknowledges. */
  calm = false;

  constructor(seed: number, people: number) {
    this.#random = seededRandom(seed);
    for (let n = 0; n < people; n++) this.#people.push(new Person(this, this.#random() < 0.8));
  }

  /** `task` within so many milliseconds. */
  after(ms: number, task: () => void): void {
    this.#schedule(integer(this.#random, ms), task);
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      this.#act();
      await this.#pass(integer(this.#random, 80));
    }
    this.calm = true;
    await this.#pass(120_000);
    const head = this.#events.length;
    for (const { last, wire } of this.#people) if (wire === null || last !== head) this.violations.push(`someone is at ${last} of ${head} in the end`);
    if (this.#live().tree.resume()) this.violations.push('the nodes are in doubt in the end');
  }

  async connect(person: Person): Promise<Wire | null> {
    const placing = this.#call(() => this.#tidyAfter(this.#live().tree.place(0))).catch(() => null);
    const placed = await Promise.race([placing, this.#patience()]);
    if (placed === null || 'problem' in placed) return null;
    const node = placed.ok;
    const wire = new Wire(person, node);
    const since = { epoch: 1, seq: person.last };
    const joining = this.#node(node).join({ channel_id: CHANNEL, actor: ALICE, since }, () => {
      this.#wires.push(wire);
      return wire;
    });
    const joined = await Promise.race([joining, this.#patience()]);
    return joined !== null && 'ok' in joined && wire.open ? wire : null;
  }

  say(wire: Wire, frame: object): void {
    if (wire.open) void this.#node(wire.node).message(wire, JSON.stringify(frame));
  }

  /** A request to an instance that ends is never answered. */
  #patience(): Promise<null> {
    return new Promise((resolve) => this.#schedule(5_000, () => resolve(null)));
  }

  #act(): void {
    const dice = this.#random();
    if (dice < 0.7) this.#append(1 + integer(this.#random, this.#random() < 0.1 ? 100 : 5));
    else if (dice < 0.78) this.#evictNode();
    else if (dice < 0.86) this.#evictRoom();
    else this.#leave();
  }

  #append(count: number): void {
    for (let n = 0; n < count; n++) {
      const json = JSON.stringify({ seq: this.#events.length + 1 });
      this.#events.push({ seq: this.#events.length + 1, json, bytes: json.length });
    }
    this.#live().tree.publish();
    this.#touch();
  }

  #evictNode(): void {
    const found = [...this.#nodes.keys()];
    if (found.length === 0) return;
    const node = pick(this.#random, found);
    const evicted = this.#nodes.get(node);
    if (evicted !== undefined) evicted.life.alive = false;
    this.#nodes.delete(node);
  }

  #evictRoom(): void {
    if (this.#room !== null) this.#room.life.alive = false;
    this.#room = null;
  }

  /** Without a word, or with one. */
  #leave(): void {
    const person = pick(this.#random, this.#people);
    const { wire } = person;
    if (wire === null) return;
    wire.open = false;
    this.#node(wire.node).left(wire);
    person.closed();
  }

  #live(): { readonly tree: Tree; readonly life: Life; tidying: boolean } {
    if (this.#room !== null) return this.#room;
    const life = { alive: true };
    const room = { tree: new Tree(this.#table, this.#log, this.#treePorts(life)), life, tidying: false };
    this.#room = room;
    if (room.tree.resume()) this.#touch();
    return room;
  }

  #treePorts(life: Life): ConstructorParameters<typeof Tree>[2] {
    return {
      clock: () => this.#now,
      random: this.#random,
      schedule: (ms, task) => this.#schedule(ms, () => life.alive && task()),
      node: (node) => this.#stub(node, life),
      setAlarm: (at) => (this.#alarm = at),
      clearAlarm: () => (this.#alarm = null),
      warn: () => {},
      limits: LIMITS,
    };
  }

  #stub(node: number, life: Life): NodeStub {
    return {
      publish: (batch) => this.#call(() => this.#node(node).publish(structuredClone(batch)), life),
      tell: (telling) => this.#call(() => this.#node(node).tell(telling), life),
      closeWhere: (whose, code, reason) => this.#call(() => this.#node(node).closeWhere(whose, code, reason), life),
    };
  }

  #touch(): void {
    const room = this.#live();
    if (room.tidying) return;
    room.tidying = true;
    this.#schedule(1_000, () => {
      if (!room.life.alive) return;
      room.tidying = false;
      if (!room.tree.settle()) this.#touch();
    });
  }

  #tidyAfter<T>(answer: T): T {
    this.#touch();
    return answer;
  }

  #node(number: number): Node<Wire> {
    const known = this.#nodes.get(number);
    if (known !== undefined) return known.node;
    const life = { alive: true };
    this.#wires = this.#wires.filter(({ open }) => open);
    const found = this.#wires.flatMap((wire): [Wire, SocketRecord][] => (wire.node === number && wire.saved !== null ? [[wire, wire.saved]] : []));
    const node = new Node(found, {
      name: String(number),
      room: this.#roomOf(number, life),
      maxSockets: LIMITS.node * 2,
      alarms: this.#alarmsOf(number),
      clock: () => this.#now,
      schedule: (ms, task) => this.#schedule(ms, () => life.alive && task()),
      report: () => {},
      lastPing: () => this.#now,
      warn: () => {},
    });
    this.#nodes.set(number, { node, life });
    return node;
  }

  /** They outlive the instances of the node. */
  #alarmsOf(node: number): Alarms<NodeAlarm> {
    const sql = this.#nodeStores.get(node) ?? nodeSqlite();
    this.#nodeStores.set(node, sql);
    const alarms = new Alarms(sql, NODE_ALARMS, {
      setAlarm: (at) => {
        this.#nodeAlarms.set(node, at);
        this.#schedule(Math.max(0, at - this.#now), () => this.#ringNode(node, at));
      },
      clearAlarm: () => this.#nodeAlarms.delete(node),
    });
    this.#alarms.set(node, alarms);
    return alarms;
  }

  #ringNode(number: number, at: number): void {
    if (this.#nodeAlarms.get(number) !== at) return;
    this.#nodeAlarms.delete(number);
    const node = this.#node(number);
    if ((this.#alarms.get(number)?.due(this.#now) ?? []).length > 0) void node.alarm();
  }

  #roomOf(node: number, life: Life): NodeRoom {
    return {
      admit: (request) => this.#call(() => this.#admit(node, request.since?.seq ?? 0), life),
      head: () => this.#call(() => ({ epoch: 1, seq: this.#events.length }), life),
      eventsBetween: (_, after, before, maxEvents) => this.#call(() => this.#read(after, before, maxEvents), life),
      execute: async () => ({ problem: { code: 'internal' } }),
      executeEach: async () => [],
      redeem: async () => null,
      typed: async () => {},
      look: async () => {},
      roster: (users) => this.#call(() => this.#live().tree.hearRoster(node, users), life),
    };
  }

  #admit(node: number, seq: number): Awaited<ReturnType<NodeRoom['admit']>> {
    const known = this.#live().tree.admit(node);
    this.#touch();
    return known ? { ok: { session: 's', epoch: 1, seq, head: this.#events.length, recovered: true } } : { problem: { code: 'unavailable', retry_after: 1 } };
  }

  #read(after: number, before: number, maxEvents: number): ArchivedChunk {
    const events = this.#events.slice(after, Math.min(before - 1, after + maxEvents));
    return { to: after + events.length, events };
  }

  get #log(): FanoutLog {
    const events = this.#events;
    const firstSeq = (): number => Math.max(1, events.length - RETAINED);
    return {
      get state() {
        return { epoch: 1, seq: events.length, firstSeq: firstSeq() };
      },
      retains: (seq) => seq >= firstSeq(),
      since: (seq, maxEvents) => (seq + 1 >= firstSeq() ? events.slice(seq, seq + maxEvents) : []),
    };
  }

  /** Late both ways, and lost either way while it is not calm. An instance that has ended hears of nothing any more. */
  async #call<T>(work: () => T | Promise<T>, caller: Life = { alive: true }): Promise<T> {
    await this.#travel();
    const answer = await work();
    await this.#travel();
    return caller.alive ? answer : await new Promise<never>(() => {});
  }

  #travel(): Promise<void> {
    const lost = !this.calm && this.#random() < 0.04;
    return new Promise((resolve, reject) => this.after(20, () => (lost ? reject(new Error('lost')) : resolve())));
  }

  #schedule(ms: number, task: () => void): void {
    const at = this.#now + ms;
    const index = this.#timers.findLastIndex((timer) => timer.at <= at);
    this.#timers.splice(index + 1, 0, { at, task });
  }

  async #pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    while ((this.#timers[0]?.at ?? Number.POSITIVE_INFINITY) <= until || (this.#alarm ?? Number.POSITIVE_INFINITY) <= until) {
      const next = this.#timers[0];
      if (this.#alarm !== null && (next === undefined || this.#alarm <= next.at)) this.#ring(this.#alarm);
      else this.#elapse();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = until;
  }

  #elapse(): void {
    const timer = this.#timers.shift();
    if (timer === undefined) return;
    this.#now = timer.at;
    timer.task();
  }

  #ring(at: number): void {
    [this.#now, this.#alarm] = [at, null];
    this.#live().tree.retell();
    this.#touch();
  }
}
