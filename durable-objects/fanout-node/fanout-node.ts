import { DurableObject } from 'cloudflare:workers';
import { z } from 'zod';
import { closeReason, type CloseCode } from '../../protocol/close-codes.ts';
import { Alarms } from '../alarms.ts';
import { SOCKET_REQUEST_HEADER } from '../channel-room/room-api.ts';
import { durableSql } from '../log/durable-sql.ts';
import { answerClose, HibernatableSocket } from '../sockets/hibernatable-socket.ts';
import type { SocketRecord } from '../sockets/fanout.ts';
import { openSockets } from '../sockets/open-sockets.ts';
import { reconnectWindowMs } from '../sockets/reconnect-window.ts';
import { socketRequestSchema } from '../sockets/socket-request.ts';
import { SOCKET_LIMITS, socketLimits } from '../sockets/socket-limits.ts';
import { problemResponse, upgraded } from '../sockets/upgrade.ts';
import { type Batch, type BatchAnswer, type NodeApi, nodeName, type NodeSocketRequest, type Telling } from './node-api.ts';
import type { Whose } from '../sockets/whose.ts';
import { Node, NODE_ALARMS, type NodeAlarm, type NodeRoom } from './node.ts';

const nodeRequestSchema = socketRequestSchema.extend({ node: z.int().min(1) }) satisfies z.ZodType<NodeSocketRequest>;

/** By how much a node may be fuller than the room means it to be: the room counts from what it hears. */
const SLACK = 1.2;

type LiveNode = Node<HibernatableSocket>;

/** The object of one node of a channel: gives a `Node` the platform. It stores nothing but its alarm; its sockets bear whose they are as tags. */
export class FanoutNode extends DurableObject<Env> implements NodeApi {
  readonly #alarms: Alarms<NodeAlarm>;
  readonly #sockets = new Map<WebSocket, HibernatableSocket>();
  #node: LiveNode | null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    const { storage } = ctx;
    this.#alarms = new Alarms(durableSql({ storage, abort: (reason) => ctx.abort(reason) }), NODE_ALARMS, {
      setAlarm: (at) => void storage.setAlarm(at),
      clearAlarm: () => void storage.deleteAlarm(),
    });
    this.#node = this.#takeOver();
    this.#count();
  }

  async publish(channelId: string, node: number, batch: Batch): Promise<BatchAnswer> {
    return this.#open(channelId, node).publish(batch);
  }

  async tell(channelId: string, node: number, telling: Telling): Promise<void> {
    this.#open(channelId, node).tell(telling);
  }

  async closeWhere(channelId: string, node: number, whose: Whose, code: CloseCode, reason: string): Promise<void> {
    this.#open(channelId, node).closeWhere(whose, code, reason);
  }

  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get('Upgrade')?.toLowerCase() !== 'websocket') return problemResponse({ code: 'upgrade_required' });
    const { node, ...wanted } = nodeRequestSchema.parse(JSON.parse(request.headers.get(SOCKET_REQUEST_HEADER) ?? 'null'));
    const refusal = openSockets.refusal(socketLimits(this.env));
    if (refusal !== null) return problemResponse(refusal);
    const { 0: client, 1: server } = new WebSocketPair();
    const joined = await this.#open(wanted.channel_id, node).join(wanted, () => this.#accept(server, [wanted.channel_id, String(node)]));
    return 'problem' in joined ? problemResponse(joined.problem) : upgraded(request, client);
  }

  override async webSocketMessage(webSocket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const socket = this.#sockets.get(webSocket);
    if (socket !== undefined) await this.#node?.message(socket, message);
  }

  override webSocketClose(webSocket: WebSocket, code: number): void {
    this.#leave(webSocket);
    answerClose(webSocket, code);
  }

  override webSocketError(webSocket: WebSocket): void {
    this.#leave(webSocket);
  }

  override async alarm(): Promise<void> {
    if (this.#alarms.due(Date.now()).length > 0) await this.#node?.alarm();
  }

  #open(channelId: string, node: number): LiveNode {
    this.#node ??= this.#create(channelId, node, []);
    return this.#node;
  }

  /** Null where there are no sockets: then it is not known yet whose node this is. */
  #takeOver(): LiveNode | null {
    const webSockets = this.ctx.getWebSockets();
    const [channelId, node] = webSockets[0] === undefined ? [] : this.ctx.getTags(webSockets[0]);
    if (channelId === undefined) return null;
    return this.#create(channelId, Number(node), webSockets.flatMap((webSocket) => this.#found(webSocket)));
  }

  #found(webSocket: WebSocket): [HibernatableSocket, SocketRecord][] {
    const socket = new HibernatableSocket(webSocket);
    const record = socket.record();
    if (record === null) socket.close(1012, closeReason('the node was restarted', reconnectWindowMs(this.ctx.getWebSockets().length)));
    else this.#sockets.set(webSocket, socket);
    return record === null ? [] : [[socket, record]];
  }

  #accept(webSocket: WebSocket, tags: string[]): HibernatableSocket {
    this.ctx.acceptWebSocket(webSocket, tags);
    const socket = new HibernatableSocket(webSocket);
    this.#sockets.set(webSocket, socket);
    this.#count();
    return socket;
  }

  #count(): void {
    openSockets.report(this.ctx.id.toString(), this.#sockets.size);
  }

  #leave(webSocket: WebSocket): void {
    const socket = this.#sockets.get(webSocket);
    if (socket === undefined) return;
    this.#sockets.delete(webSocket);
    this.#count();
    this.#node?.left(socket);
  }

  #create(channelId: string, node: number, found: readonly [HibernatableSocket, SocketRecord][]): LiveNode {
    const name = nodeName(channelId, node);
    return new Node(found, {
      name,
      room: this.#room(channelId, node),
      maxSockets: Math.ceil(SOCKET_LIMITS.node * SLACK),
      alarms: this.#alarms,
      clock: Date.now,
      schedule: (ms, task) => void setTimeout(task, ms),
      report: (report) => void this.env.METRICS_HUB.getByName('hub').report(report).catch(() => {}),
      lastPing: (socket) => this.ctx.getWebSocketAutoResponseTimestamp(socket.webSocket)?.getTime() ?? 0,
      warn: (message, fields) => console.warn(JSON.stringify({ level: 'warn', component: 'fanout-node', message, node: name, ...fields })),
    });
  }

  /** A fresh stub each time: one whose object was aborted stays broken. */
  #room(channelId: string, node: number): NodeRoom {
    const room = () => this.env.ROOMS.getByName(channelId);
    return {
      admit: (request) => room().admit(node, request),
      head: () => room().head(channelId),
      eventsBetween: (epoch, ...range) => room().eventsBetween(channelId, epoch, ...range),
      execute: (actor, command) => room().execute(channelId, actor, command),
      redeem: (userId, ticket) => room().redeem(channelId, userId, ticket),
      typed: (actor, threadId) => room().typed(channelId, actor, threadId),
      look: () => room().look(channelId),
    };
  }
}
