import { setTimeout as sleep } from 'node:timers/promises';
import { CrowdMember } from './crowd-member.ts';
import { clock, stamped } from './timestamps.ts';

export interface CrowdSpec {
  readonly port: number;
  /** Where sockets are opened, without a query; they are spread over these. */
  readonly paths: readonly string[];
  readonly sockets: number;
  /** One after the other has a socket of each path. */
  readonly tokens: readonly string[];
  readonly speaks: 'room' | 'gateway';
  readonly deflate: boolean;
  /** Of one socket of so many it is measured how long each event took. */
  readonly sampleEvery: number;
  /** What is said, over and over; and what begins every `client_msg_id`. */
  readonly texts: readonly string[];
  readonly name: string;
}

/** So many of the first sockets send: each one message after the other is acknowledged, or all together at a steady rate. */
export interface TalkSpec {
  readonly senders: number;
  readonly perSecond: number | null;
  /** Of the time between two messages of a rate, the share after which the first is sent: so that threads do not speak all at once. */
  readonly phase?: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

export interface Talk {
  /** Acknowledged messages: all, and those that were acknowledged while it was measured. */
  readonly acknowledged: number;
  readonly measured: number;
  /** The highest `seq` that a result told. */
  readonly lastSeq: number;
  readonly refused: number;
  /** Events received by all sockets while it was measured, and for how long that was. */
  readonly deliveries: number;
  readonly measuredMs: number;
  /** Share of that time in which the thread was busy. */
  readonly busy: number;
}

/** How far the sockets of one path have read. */
export interface Reach {
  readonly least: number;
  readonly most: number;
}

export interface CrowdState {
  readonly open: number;
  readonly resumed: number;
  readonly reset: number;
  readonly lost: number;
  readonly pongs: number;
  readonly failures: readonly string[];
}

const AT_ONCE = 48;
const PING_MS = 25_000;
const PING_STEPS = 50;
const BACKOFF_MS = 20;
const LOOK_MS = 10;

/** Many sockets of one thread. Times are of `clock`. */
export class Crowd {
  readonly #spec: CrowdSpec;
  readonly #members: readonly CrowdMember[];
  readonly #pinging: NodeJS.Timeout;
  readonly #failures: string[] = [];
  readonly #counts = { resumed: 0, reset: 0, lost: 0, pongs: 0 };
  readonly #passes = new Map<string, { count: number; at: number }>();
  #step = 0;
  #said = 0;
  #deliveries = 0;
  #from = Number.POSITIVE_INFINITY;
  #until = Number.POSITIVE_INFINITY;
  #latencies: number[] = [];
  #answerTimes: number[] = [];

  constructor(spec: CrowdSpec) {
    this.#spec = spec;
    this.#members = Array.from({ length: spec.sockets }, (_, index) => this.#member(index));
    this.#pinging = setInterval(() => this.#ping(), PING_MS / PING_STEPS);
  }

  #member(index: number): CrowdMember {
    const { port, paths, tokens, speaks, deflate, sampleEvery } = this.#spec;
    const [path = '', token = ''] = [paths[index % paths.length], tokens[Math.floor(index / paths.length) % tokens.length]];
    return new CrowdMember({ port, path, token, speaks, deflate, sampled: index % sampleEvery === 0 }, {
      delivered: (count, stamps) => this.#delivered(count, stamps),
      welcomed: (how) => how !== 'new' && this.#counts[how]++,
      lost: () => this.#counts.lost++,
      failed: (error) => this.#failures.push(error.message),
      other: (text) => this.#other(text),
    });
  }

  async open(): Promise<void> {
    const waiting = this.#members.values();
    const openNext = async (): Promise<void> => {
      for (const member of waiting) await member.open();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, openNext));
  }

  state(): CrowdState {
    return { ...this.#counts, open: this.#members.filter((member) => member.isOpen).length, failures: this.#failures };
  }

  async talk(spec: TalkSpec): Promise<Talk> {
    const senders = this.#members.slice(0, spec.senders);
    const startedAt = clock();
    [this.#from, this.#until, this.#latencies, this.#answerTimes] = [startedAt + spec.warmMs, startedAt + spec.warmMs + spec.measureMs, [], []];
    const tally = { acknowledged: 0, measured: 0, lastSeq: 0, refused: 0 };
    const talking = spec.perSecond === null ? senders.map((sender) => this.#sayOn(sender, tally)) : [this.#sayAt(senders, spec.perSecond, spec.phase ?? 0, tally)];
    await sleep(Math.max(0, this.#from - clock()));
    const [before, from, busyBefore] = [this.#deliveries, clock(), performance.eventLoopUtilization()];
    await sleep(Math.max(0, this.#until - clock()));
    const [deliveries, measuredMs, busy] = [this.#deliveries - before, clock() - from, performance.eventLoopUtilization(busyBefore).utilization];
    await Promise.all(talking);
    return { ...tally, deliveries, measuredMs, busy };
  }

  async #sayOn(sender: CrowdMember, tally: Tally): Promise<void> {
    while (clock() < this.#until) {
      if (!(await this.#say(sender, tally))) await sleep(BACKOFF_MS);
    }
  }

  async #sayAt(senders: readonly CrowdMember[], perSecond: number, phase: number, tally: Tally): Promise<void> {
    const startedAt = clock();
    const said: Promise<boolean>[] = [];
    for (let n = 0; ; n++) {
      const due = startedAt + ((n + phase) * 1_000) / perSecond;
      if (due >= this.#until) break;
      await sleep(Math.max(0, due - clock()));
      const sender = senders[n % senders.length];
      if (sender !== undefined) said.push(this.#say(sender, tally));
    }
    await Promise.all(said);
  }

  async #say(sender: CrowdMember, tally: Tally): Promise<boolean> {
    const id = `${this.#spec.name}-${this.#said++}`;
    const saidAt = clock();
    const text = stamped(this.#spec.texts[this.#said % this.#spec.texts.length] ?? '', saidAt);
    const result = await sender.command(id, JSON.stringify({ type: 'send', id, client_msg_id: id, text }));
    if (result.includes('"problem":')) {
      tally.refused++;
      return false;
    }
    tally.acknowledged++;
    tally.lastSeq = Math.max(tally.lastSeq, Number(/"seq":(\d+)/.exec(result)?.[1]));
    if (clock() >= this.#from && clock() < this.#until) tally.measured++;
    if (saidAt >= this.#from && saidAt < this.#until) this.#answerTimes.push(clock() - saidAt);
    return true;
  }

  /** Waits until each socket has read up to the target of its path, but not past `deadline`, and says how far they have. */
  async settle(targets: readonly number[], deadline: number): Promise<readonly Reach[]> {
    const isThere = (member: CrowdMember, index: number): boolean => member.position >= (targets[index % targets.length] ?? 0);
    while (clock() < deadline && !this.#members.every(isThere)) await sleep(LOOK_MS);
    return targets.map((_, path) => {
      const positions = this.#members.filter((_, index) => index % targets.length === path).map((member) => member.position);
      return { least: Math.min(...positions), most: Math.max(...positions) };
    });
  }

  /** How long each sampled delivery took of what was sent while it was measured, in milliseconds. */
  takeLatencies(): Float64Array {
    return Float64Array.from(this.#latencies);
  }

  /** How long the result took of each command that was sent while it was measured, in milliseconds. */
  takeAnswerTimes(): Float64Array {
    return Float64Array.from(this.#answerTimes);
  }

  /** When the last socket had the message that is `name`; null unless all have it before `deadline`. */
  async lastArrival(name: string, deadline: number): Promise<number | null> {
    while (clock() < deadline) {
      const pass = this.#passes.get(name);
      if (pass?.count === this.#members.length) return pass.at;
      await sleep(LOOK_MS);
    }
    return null;
  }

  close(): void {
    clearInterval(this.#pinging);
    for (const member of this.#members) member.close();
  }

  #delivered(count: number, stamps: readonly number[]): void {
    this.#deliveries += count;
    if (stamps.length === 0) return;
    const now = clock();
    for (const at of stamps) if (at >= this.#from && at < this.#until) this.#latencies.push(now - at);
  }

  #other(text: string): void {
    if (text === 'pong') this.#counts.pongs++;
    else if (text.startsWith('pass')) {
      const name = text.trimEnd();
      this.#passes.set(name, { count: (this.#passes.get(name)?.count ?? 0) + 1, at: clock() });
    }
  }

  #ping(): void {
    this.#step = (this.#step + 1) % PING_STEPS;
    for (let index = this.#step; index < this.#members.length; index += PING_STEPS) this.#members[index]?.ping();
  }
}

interface Tally {
  acknowledged: number;
  measured: number;
  lastSeq: number;
  refused: number;
}
