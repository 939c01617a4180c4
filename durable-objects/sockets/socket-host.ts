import type { z } from 'zod';
import { closeReason } from '../../protocol/close-codes.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { type Placement, SOCKET_REQUEST_HEADER } from '../channel-room/room-api.ts';
import type { SocketRecord } from './socket-record.ts';
import { answerClose, HibernatableSocket } from './hibernatable-socket.ts';
import { openSockets } from './open-sockets.ts';
import { reconnectWindowMs } from './reconnect-window.ts';
import { socketLimits } from './socket-limits.ts';
import { problemResponse, upgraded } from './upgrade.ts';

/** Whom the sockets of an object belong to: its room, inbox or node. */
interface SocketCore {
  message(socket: HibernatableSocket, message: string | ArrayBuffer): Promise<void>;
  left(socket: HibernatableSocket): void;
}

/** Opens the socket once it is certain to be admitted. By its tags a later instance knows whose object it is. */
type OpenSocket = (tags?: string[]) => HibernatableSocket;

/**
 * The hibernating WebSockets of one object, which hands on to it what the platform calls. No base class: whatever an object inherits, be it `protected`,
 * can be called by RPC, and its own API is all that may be.
 */
export class SocketHost {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #name: string;
  readonly #core: () => SocketCore | null;
  readonly #sockets = new Map<WebSocket, HibernatableSocket>();
  /** Upgrades under way: each has its open files already. */
  #joining = 0;

  /** `name`: what the object is to its clients. `core` null: it has not been opened. */
  constructor(ctx: DurableObjectState, env: Env, name: string, core: () => SocketCore | null) {
    this.#ctx = ctx;
    this.#env = env;
    this.#name = name;
    this.#core = core;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    this.#count();
  }

  /** Takes over the sockets of an earlier instance; closes those that it did not get to admit, or of which this release cannot read the record. */
  found(): [HibernatableSocket, SocketRecord][] {
    const webSockets = this.#ctx.getWebSockets();
    const found = webSockets.flatMap((webSocket) => this.#takeOver(webSocket, webSockets.length));
    this.#count();
    return found;
  }

  /**
   * Answers an upgrade: 101, or 200 with where else the socket is to go, or a problem document. Rejects where the request is not what a Worker
   * sends. `join` admits the socket, if it may.
   */
  async upgrade<W>(request: Request, schema: z.ZodType<W>, join: (wanted: W, open: OpenSocket) => Promise<Outcome<HibernatableSocket | Placement>>): Promise<Response> {
    if (request.headers.get('Upgrade')?.toLowerCase() !== 'websocket') return problemResponse({ code: 'upgrade_required' });
    const wanted = schema.parse(JSON.parse(request.headers.get(SOCKET_REQUEST_HEADER) ?? 'null'));
    const refusal = openSockets.refusal(socketLimits(this.#env));
    if (refusal !== null) return problemResponse(refusal);
    const { 0: client, 1: server } = new WebSocketPair();
    const joined = await this.#counted(() => join(wanted, (tags) => this.#accept(server, tags)));
    if ('problem' in joined) return problemResponse(joined.problem);
    return 'node' in joined.ok ? Response.json(joined.ok) : upgraded(request, client);
  }

  async message(webSocket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const socket = this.#sockets.get(webSocket);
    if (socket !== undefined) await this.#core()?.message(socket, message);
  }

  /** The client has closed it, with this code. */
  closed(webSocket: WebSocket, code: number): void {
    this.lost(webSocket);
    answerClose(webSocket, code);
  }

  /** It is gone, without a word. */
  lost(webSocket: WebSocket): void {
    const socket = this.#sockets.get(webSocket);
    if (socket === undefined) return;
    this.#sockets.delete(webSocket);
    this.#count();
    this.#core()?.left(socket);
  }

  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing({ webSocket }: HibernatableSocket): number {
    return this.#ctx.getWebSocketAutoResponseTimestamp(webSocket)?.getTime() ?? 0;
  }

  #takeOver(webSocket: WebSocket, among: number): [HibernatableSocket, SocketRecord][] {
    const socket = new HibernatableSocket(webSocket);
    const record = socket.record();
    if (record === null) socket.close(1012, closeReason(`the ${this.#name} was restarted`, reconnectWindowMs(among)));
    else this.#sockets.set(webSocket, socket);
    return record === null ? [] : [[socket, record]];
  }

  #accept(webSocket: WebSocket, tags: string[] = []): HibernatableSocket {
    this.#ctx.acceptWebSocket(webSocket, tags);
    const socket = new HibernatableSocket(webSocket);
    this.#sockets.set(webSocket, socket);
    return socket;
  }

  async #counted<T>(upgrade: () => Promise<T>): Promise<T> {
    this.#joining += 1;
    this.#count();
    try {
      return await upgrade();
    } finally {
      this.#joining -= 1;
      this.#count();
    }
  }

  #count(): void {
    openSockets.report(this.#ctx.id.toString(), this.#sockets.size + this.#joining);
  }
}
