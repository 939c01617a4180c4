import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { ChannelEvent } from '../../protocol/events.ts';
import { type ServerFrame, serverFrameSchema } from '../../protocol/frames.ts';
import { SUBPROTOCOL } from '../../protocol/version.ts';
import type { ReaderLog } from './checker.ts';

export interface ReaderOptions {
  readonly name: string;
  /** Such as `http://127.0.0.1:8787`. */
  readonly baseUrl: string;
  readonly channelId: string;
  readonly token: string;
  readonly epoch: number;
  /** Reads what follows this `seq`. */
  readonly after: number;
}

const ACK_EVERY_MS = 250;
const PING_EVERY_MS = 10_000;

/**
 * A socket that keeps all it is given and mends nothing: no event is dropped, sorted or asked for again, so that its log shows what
 * the server did. When it is cut off it resumes at the last `seq` it has.
 */
export class Reader implements ReaderLog {
  readonly name: string;
  readonly after: number;
  readonly events: ChannelEvent[] = [];
  /** Welcomes so far; how many of them said that something is missing; frames that are none of the protocol's. */
  welcomes = 0;
  unrecovered = 0;
  readonly faults: string[] = [];
  /** The room's last event when this socket was last welcomed. */
  head = 0;
  readonly #options: ReaderOptions;
  #socket: WebSocket | null = null;
  #acked = -1;
  #stopped = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.name = options.name;
    this.after = options.after;
  }

  get seq(): number {
    return this.events.at(-1)?.seq ?? this.after;
  }

  start(): this {
    const { baseUrl, channelId, token, epoch } = this.#options;
    const url = new URL(`/v1/channels/${channelId}/socket?epoch=${epoch}&since=${this.seq}`, baseUrl.replace('http', 'ws'));
    const socket = new WebSocket(url, SUBPROTOCOL, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false });
    const timers = [setInterval(() => this.#ack(), ACK_EVERY_MS), setInterval(() => this.#send('ping'), PING_EVERY_MS)];
    socket.on('message', (data) => this.#receive(String(data)));
    socket.on('error', () => {});
    socket.on('close', () => {
      timers.forEach(clearInterval);
      if (!this.#stopped) setTimeout(() => this.#stopped || this.start(), 50 + 200 * Math.random());
    });
    this.#socket = socket;
    this.#acked = -1;
    return this;
  }

  /** Resolves once the event `seq` is here. Throws after `withinMs`. */
  async until(seq: number, withinMs: number): Promise<void> {
    for (const deadline = performance.now() + withinMs; this.seq < seq; await sleep(20)) {
      if (performance.now() > deadline) throw new Error(`${this.name} stands at ${this.seq} of ${seq} after ${withinMs} ms`);
    }
  }

  /** Resolves once it has been welcomed `count` times. */
  async welcomed(count = 1, withinMs = 15_000): Promise<this> {
    for (const deadline = performance.now() + withinMs; this.welcomes < count; await sleep(20)) {
      if (performance.now() > deadline) throw new Error(`${this.name} was welcomed ${this.welcomes} times, not ${count}, after ${withinMs} ms`);
    }
    return this;
  }

  /** Ends the connection without a word, as a lost network does; it comes back by itself. */
  drop(): void {
    this.#socket?.terminate();
  }

  stop(): void {
    this.#stopped = true;
    this.#socket?.terminate();
  }

  #receive(text: string): void {
    if (text === 'pong') return;
    const frame = serverFrameSchema.safeParse(JSON.parse(text));
    if (frame.success) this.#take(frame.data);
    else this.faults.push(`${frame.error.message} in ${text.slice(0, 200)}`);
  }

  #take(frame: ServerFrame): void {
    if (frame.type === 'events') this.events.push(...frame.events);
    if (frame.type === 'events' && (frame.from !== frame.events[0]?.seq || frame.to !== frame.events.at(-1)?.seq)) this.faults.push(`frame ${frame.from}–${frame.to}`);
    if (frame.type !== 'welcome') return;
    this.welcomes += 1;
    this.head = frame.head;
    if (!frame.recovered || frame.epoch !== this.#options.epoch || frame.seq !== this.seq) this.unrecovered += 1;
  }

  #ack(): void {
    if (this.seq > this.#acked) this.#send(JSON.stringify({ type: 'ack', seq: this.seq }));
    this.#acked = this.seq;
  }

  #send(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }
}
