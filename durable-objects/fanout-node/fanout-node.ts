import { DurableObject } from 'cloudflare:workers';
import { z } from 'zod';
import type { CloseCode } from '../../protocol/close-codes.ts';
import { Alarms } from '../alarms.ts';
import { durableSql } from '../log/durable-sql.ts';
import { alarmPort, platformPorts, warnings } from '../platform.ts';
import type { HibernatableSocket } from '../sockets/hibernatable-socket.ts';
import type { SocketRecord } from '../sockets/socket-record.ts';
import { SocketHost } from '../sockets/socket-host.ts';
import { socketRequestSchema } from '../sockets/socket-request.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { type Batch, type BatchAnswer, type NodeApi, nodeName, type NodeSocketRequest, type Telling } from './node-api.ts';
import type { Whose } from '../sockets/whose.ts';
import { Node } from './node.ts';
import { NODE_ALARMS, type NodeAlarm, type NodeRoom } from './node-ports.ts';

const nodeRequestSchema = socketRequestSchema.extend({ node: z.int().min(1) }) satisfies z.ZodType<NodeSocketRequest>;

/** By how much a node may be fuller than the room means it to be: the room counts from what it hears. */
const SLACK = 1.2;

type LiveNode = Node<HibernatableSocket>;

/** The object of one node of a channel: gives a `Node` the platform. It stores nothing but its alarm; its sockets bear whose they are as tags. */
export class FanoutNode extends DurableObject<Env> implements NodeApi {
  readonly #alarms: Alarms<NodeAlarm>;
  readonly #sockets: SocketHost;
  #node: LiveNode | null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#alarms = new Alarms(durableSql(ctx), NODE_ALARMS, alarmPort(ctx));
    this.#sockets = new SocketHost(ctx, env, 'node', () => this.#node);
    this.#alarms.revive(Date.now());
    this.#node = this.#takeOver();
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
    return await this.#sockets.upgrade(request, nodeRequestSchema, async ({ node, ...wanted }, open) => {
      const tags = [wanted.channel_id, String(node)];
      return await this.#open(wanted.channel_id, node).join(wanted, () => open(tags));
    });
  }

  override async webSocketMessage(webSocket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    await this.#sockets.message(webSocket, message);
  }

  override webSocketClose(webSocket: WebSocket, code: number): void {
    this.#sockets.closed(webSocket, code);
  }

  override webSocketError(webSocket: WebSocket): void {
    this.#sockets.lost(webSocket);
  }

  override async alarm(): Promise<void> {
    const work = (): Promise<void> | void => this.#node?.alarm();
    await this.#alarms.ring(Date.now(), { auth: work, net: work }, (purpose, error) => warnings('fanout-node')('alarm', { purpose, error: String(error) }));
  }

  #open(channelId: string, node: number): LiveNode {
    this.#node ??= this.#create(channelId, node, []);
    return this.#node;
  }

  /** Null where there are no sockets: then it is not known yet whose node this is. */
  #takeOver(): LiveNode | null {
    const [first] = this.ctx.getWebSockets();
    const [channelId, node] = first === undefined ? [] : this.ctx.getTags(first);
    return channelId === undefined ? null : this.#create(channelId, Number(node), this.#sockets.found());
  }

  #create(channelId: string, node: number, found: readonly [HibernatableSocket, SocketRecord][]): LiveNode {
    const name = nodeName(channelId, node);
    return new Node(found, {
      ...platformPorts(this.ctx, this.env),
      name,
      room: this.#room(channelId, node),
      maxSockets: Math.ceil(SOCKET_LIMITS.node * SLACK),
      alarms: this.#alarms,
      lastPing: (socket) => this.#sockets.lastPing(socket),
      warn: warnings('fanout-node', { node: name }),
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
      executeEach: (commands) => room().executeEach(channelId, commands),
      redeem: (userId, ticket) => room().redeem(channelId, userId, ticket),
      typed: (actor, threadId) => room().typed(channelId, actor, threadId),
      look: () => room().look(channelId),
      roster: (users) => room().roster(channelId, node, users),
    };
  }
}
