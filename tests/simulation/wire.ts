import type { RoomSocket, SocketRecord } from '../../durable-objects/sockets/socket-record.ts';
import type { CloseCode } from '../../protocol/close-codes.ts';
import type { WebSocketLike } from '../../client/ports.ts';
import { integer } from '../../client/testing/random.ts';
import type { Schedule } from './schedule.ts';

/** The object at the server's end of a wire. */
export interface ServerSide {
  /** Holds what leaves the object until all it wrote before is durable. */
  gate(output: () => void): void;
  received(wire: Wire, data: string): void;
  /** The client has closed, or its end was noticed. */
  left(wire: Wire): void;
  /** The object's clock. */
  now(): number;
  /** A frame leaves for the client. */
  leaves(wire: Wire, frame: string, said: Said): void;
}

/** How it was when a frame was said: the object's clock, and whether the client was looking who is present. */
export interface Said {
  readonly at: number;
  readonly isLooking: boolean;
}

interface WirePorts {
  readonly schedule: Schedule;
  readonly random: () => number;
}

/** Most milliseconds that a frame takes. */
const LATENCY_MS = 20;

type Listener = (event: never) => void;

/** A WebSocket with both its ends and the network between: in order, late, and gone from one moment to the next. */
export class Wire implements RoomSocket {
  /** What the room keeps with the socket through hibernation. */
  attachment: SocketRecord | null = null;
  /** When the platform last answered a ping, by the clock of the network. */
  pingedAt = 0;
  readonly #ports: WirePorts;
  readonly #listeners = new Map<string, Listener[]>();
  /** Null before the handshake has found one. */
  #server: ServerSide | null = null;
  #dead = false;
  #serverClosed = false;
  #upAt = 0;
  #downAt = 0;

  constructor(ports: WirePorts) {
    this.#ports = ports;
  }

  attach(server: ServerSide): void {
    this.#server = server;
  }

  /** The client's end. */
  readonly client: WebSocketLike = {
    binaryType: 'arraybuffer',
    addEventListener: (type: string, listener: Listener) => void this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]),
    send: (data: string) => this.#up(() => this.#arrived(data)),
    close: () => this.#up(() => this.#clientClosed()),
  };

  /** The server's end, as the room has it. */
  send(frame: string): void {
    if (this.#serverClosed) throw new TypeError("Can't call WebSocket send() after close().");
    const server = this.#server;
    const said = { at: server?.now() ?? 0, isLooking: this.attachment?.watching === true };
    server?.gate(() => {
      server.leaves(this, frame, said);
      this.#down(() => this.#emit('message', { data: frame }));
    });
  }

  close(code: CloseCode, reason: string): void {
    this.#serverClosed = true;
    this.#server?.gate(() => this.#down(() => this.#closed(code, reason)));
  }

  save(record: SocketRecord): void {
    this.attachment = record;
  }

  /** The client does not read for so long, or its network is that slow. */
  stall(ms: number): void {
    this.#downAt = Math.max(this.#downAt, this.#ports.schedule.now() + ms);
  }

  /** From now on nothing gets through, and what was on its way is lost. Each end may notice, or not. */
  cut(noticed: { readonly client: boolean; readonly server: boolean }): void {
    if (this.#dead) return;
    this.#dead = true;
    const { schedule, random } = this.#ports;
    if (noticed.client) schedule.after(integer(random, 200), () => this.#emit('close', { code: 1006, reason: '' }));
    if (noticed.server) schedule.after(integer(random, 200), () => this.#server?.left(this));
  }

  /** The handshake failed: browsers do not say why. */
  refuse(): void {
    this.#down(() => this.#closed(1006, ''));
  }

  #arrived(data: string): void {
    if (data !== 'ping') return this.#server?.received(this, data);
    this.pingedAt = this.#ports.schedule.now();
    this.#down(() => this.#emit('message', { data: 'pong' }));
  }

  #closed(code: number, reason: string): void {
    this.#emit('close', { code, reason });
    this.#up(() => this.#clientClosed());
  }

  #clientClosed(): void {
    this.#dead = true;
    this.#server?.left(this);
    this.#emit('close', { code: 1000, reason: '' });
  }

  #up(task: () => void): void {
    this.#upAt = this.#later(this.#upAt, task);
  }

  #down(task: () => void): void {
    this.#downAt = this.#later(this.#downAt, task);
  }

  /** In order: nothing overtakes what was sent before it. */
  #later(notBefore: number, task: () => void): number {
    const { schedule, random } = this.#ports;
    const at = Math.max(notBefore, schedule.now() + integer(random, LATENCY_MS));
    schedule.after(at - schedule.now(), () => this.#dead || task());
    return at;
  }

  #emit(type: string, event: object): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}
