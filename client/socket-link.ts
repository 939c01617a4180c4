import type { Clock, WebSocketLike } from './ports.ts';

const WELCOME_WITHIN_MS = 15_000;
const PONG_WITHIN_MS = 10_000;
const PING = 'ping';
const PONG = 'pong';
/** RFC 6455: reported, never sent. */
const ABNORMAL = 1006;

export interface LinkHandlers<F> {
  frame(frame: F, bytes: number): void;
  /** Once, and nothing after it. */
  closed(code: number, reason: string): void;
}

/**
 * One socket from its opening to its end. It ends early, as code 1006, when no welcome comes within 15 s or a ping stays without
 * an answer of any kind for 10 s: the platform itself may take minutes to notice a dead path.
 */
export class SocketLink<F> {
  readonly #socket: WebSocketLike;
  readonly #clock: Clock;
  readonly #handlers: LinkHandlers<F>;
  #cancelDeadline: () => void;
  #cancelPing: () => void = () => {};
  #heartbeatMs = 0;
  #ended = false;

  constructor(socket: WebSocketLike, clock: Clock, handlers: LinkHandlers<F>) {
    this.#socket = socket;
    this.#clock = clock;
    this.#handlers = handlers;
    this.#cancelDeadline = clock.after(WELCOME_WITHIN_MS, () => this.end(ABNORMAL, 'no welcome'));
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => this.#receive(data));
    socket.addEventListener('close', ({ code, reason }) => this.#finish(code, reason));
    // The `ws` package throws an error nobody listens for; a close follows it.
    socket.addEventListener('error', () => {});
  }

  /** The socket is in use: from now on it is kept alive by pings. */
  keepAlive(heartbeatSeconds: number): void {
    this.#heartbeatMs = heartbeatSeconds * 1_000;
    this.#schedulePing();
  }

  send(frame: object): void {
    this.#transmit(JSON.stringify(frame));
  }

  /** Asks the other side for a sign of life now. */
  probe(): void {
    if (this.#heartbeatMs > 0) this.#ping();
  }

  /** Reports the end at once; the closing handshake goes on behind it. */
  end(code: number, reason: string): void {
    this.#finish(code, reason);
    this.#socket.close(1000);
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    this.#cancelDeadline();
    const text = typeof data === 'string' ? data : new TextDecoder().decode(data as ArrayBuffer);
    if (text !== PONG) this.#handlers.frame(parseFrame<F>(text), text.length);
  }

  #schedulePing(): void {
    this.#cancelPing();
    this.#cancelPing = this.#clock.after(this.#heartbeatMs, () => this.#ping());
  }

  /** However much is received: the server knows of this end by its pings alone. */
  #ping(): void {
    this.#schedulePing();
    this.#cancelDeadline();
    this.#cancelDeadline = this.#clock.after(PONG_WITHIN_MS, () => this.end(ABNORMAL, 'no pong'));
    this.#transmit(PING);
  }

  #transmit(data: string): void {
    if (this.#ended) return;
    try {
      this.#socket.send(data);
    } catch {
      // A socket that is closing may throw; its close event follows.
    }
  }

  #finish(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelDeadline();
    this.#cancelPing();
    this.#handlers.closed(code, reason);
  }
}

/** The server is this client's own, and the client bundles no schemas: a frame is taken at its type. */
function parseFrame<F>(text: string): F {
  return JSON.parse(text) as F;
}
