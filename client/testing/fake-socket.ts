import type { ClientFrame, InboxClientFrame, InboxServerFrame, ServerFrame } from '../../protocol/frames.ts';
import type { OpenSocket, WebSocketLike } from '../ports.ts';

/** The server's end of a socket, played by a test. */
export class FakeSocket implements WebSocketLike {
  binaryType = 'blob';
  readonly #target = new EventTarget();
  readonly sent: string[] = [];
  closed = false;
  readonly url: URL;
  readonly protocols: string[];

  constructor(url: string, protocols: string[]) {
    this.url = new URL(url);
    this.protocols = protocols;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#target.addEventListener(type, listener as (event: Event) => void);
  }

  send(data: string): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }

  get frames(): (ClientFrame | InboxClientFrame)[] {
    return this.sent.filter((data) => data !== 'ping').map((data) => JSON.parse(data));
  }

  /** Frames leave the room encoded to bytes; results may come as text. */
  deliver(frame: ServerFrame | InboxServerFrame | 'pong', as: 'text' | 'bytes' = 'text'): void {
    this.deliverText(frame === 'pong' ? frame : JSON.stringify(frame), as);
  }

  deliverText(text: string, as: 'text' | 'bytes' = 'text'): void {
    this.#emit('message', { data: as === 'text' ? text : new TextEncoder().encode(text).buffer });
  }

  drop(code: number, reason = ''): void {
    this.closed = true;
    this.#emit('close', { code, reason });
  }

  #emit(type: string, fields: object): void {
    this.#target.dispatchEvent(Object.assign(new Event(type), fields));
  }

  welcome(welcome: { epoch?: number; seq: number; head?: number; recovered: boolean; next_ticket?: string }): void {
    const limits = { frame_bytes: 65_536, window_events: 1_000, window_bytes: 1_048_576 };
    const session = '019abcde-0000-7000-8000-000000000001';
    this.deliver({ type: 'welcome', session, epoch: 1, head: welcome.seq, heartbeat_seconds: 25, limits, ...welcome });
  }
}

/** Opens fake sockets and keeps them, the newest last. */
export class FakeServer {
  readonly sockets: FakeSocket[] = [];

  readonly openSocket: OpenSocket = (url, protocols) => {
    const socket = new FakeSocket(url, protocols);
    this.sockets.push(socket);
    return socket;
  };

  get latest(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('No socket was opened');
    return socket;
  }
}
