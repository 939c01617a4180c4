import { DurableObject } from 'cloudflare:workers';
import { V7Generator } from 'uuidv7';
import { closeReason } from '../../protocol/close-codes.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import { Alarms } from '../alarms.ts';
import { within } from '../within.ts';
import { durableSql } from '../log/durable-sql.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { bootstrap } from './bootstrap.ts';
import { Conversation } from './conversation.ts';
import type { ArchivedChunk } from '../log/archive.ts';
import type { OlderEvents, SocketRecord } from '../sockets/fanout.ts';
import { answerClose, HibernatableSocket } from '../sockets/hibernatable-socket.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { openSockets } from '../sockets/open-sockets.ts';
import { reconnectWindowMs } from '../sockets/reconnect-window.ts';
import { problemResponse, upgraded } from '../sockets/upgrade.ts';
import type { PresenceNotice } from '../user-inbox/presence-api.ts';
import { PresenceCache } from './presence-cache.ts';
import { socketLimits } from '../sockets/socket-limits.ts';
import { socketRequestSchema } from '../sockets/socket-request.ts';
import { nodeName } from '../fanout-node/node-api.ts';
import type { NodeStub } from './node-link.ts';
import { NodeTable } from './node-table.ts';
import { type ActorCommand, type Admission, type LogHead, type MemberChange, type Placement, type RevokedCredential, type RoomApi, SOCKET_REQUEST_HEADER, type SocketRequest } from './room-api.ts';
import { ROOM_ALARMS, type RoomAlarm } from './room-alarms.ts';
import { roomPostgres } from './room-postgres.ts';
import type { RoomRecord } from './room-record.ts';
import { Room, type RoomPorts } from './room.ts';

const REST_MS = 1_000;
/** Longest that an inbox may take to answer. */
const CALL_MS = 10_000;

type LiveRoom = Room<HibernatableSocket>;

/** The object of one channel: gives a `Room` the platform. */
export class ChannelRoom extends DurableObject<Env> implements RoomApi {
  readonly #sql: SqlDriver;
  readonly #record: RoomRecord;
  readonly #ids = new V7Generator();
  readonly #sockets = new Map<WebSocket, HibernatableSocket>();
  #room: LiveRoom | null;
  #opening: Promise<Outcome<LiveRoom>> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = durableSql({ storage: ctx.storage, abort: (reason) => ctx.abort(reason) });
    this.#record = roomPostgres(() => this.env.POSTGRES.connectionString, Date.now);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    this.#room = this.#openStored();
    this.#count();
  }

  async execute(channelId: string, actor: Actor, command: Command): Promise<Outcome<CommandResult>> {
    const room = await this.#open(channelId);
    return 'problem' in room ? room : await room.ok.execute(actor, command);
  }

  async executeEach(channelId: string, commands: readonly ActorCommand[]): Promise<(Outcome<CommandResult> | null)[]> {
    const room = await this.#open(channelId);
    return 'problem' in room ? commands.map(() => room) : await room.ok.executeEach(commands);
  }

  async executeBatch(channelId: string, actor: Actor, commands: readonly Command[]): Promise<Outcome<CommandResult[]>> {
    const room = await this.#open(channelId);
    return 'problem' in room ? room : await room.ok.executeBatch(actor, commands);
  }

  async applyMemberChange(channelId: string, change: MemberChange): Promise<void> {
    await (await this.#mustOpen(channelId)).applyMemberChange(change);
  }

  async admit(node: number, request: SocketRequest): Promise<Outcome<Admission>> {
    const room = await this.#open(request.channel_id);
    return 'problem' in room ? room : await room.ok.admit(node, request);
  }

  async head(channelId: string): Promise<LogHead> {
    return (await this.#mustOpen(channelId)).head;
  }

  async redeem(channelId: string, userId: string, ticket: string): Promise<Actor | null> {
    return await (await this.#mustOpen(channelId)).redeem(userId, ticket);
  }

  async typed(channelId: string, actor: Actor, threadId: string | null): Promise<void> {
    (await this.#mustOpen(channelId)).typed(actor, threadId);
  }

  async look(channelId: string): Promise<void> {
    (await this.#mustOpen(channelId)).look();
  }

  async eventsBetween(channelId: string, epoch: number, ...range: Parameters<OlderEvents['read']>): Promise<ArchivedChunk | null> {
    return await (await this.#mustOpen(channelId)).eventsBetween(epoch, ...range);
  }

  async revokeCredentials(channelId: string, credentials: readonly RevokedCredential[]): Promise<void> {
    const room = await this.#mustOpen(channelId);
    await Promise.all(credentials.map(({ credential_id, expires_at }) => room.revokeCredential(credential_id, expires_at)));
  }

  /** A room that is not open has no sockets that look. */
  async presenceChanged(channelId: string, notice: PresenceNotice): Promise<boolean> {
    return this.#room?.channelId === channelId && this.#room.presenceChanged(notice);
  }

  async prepareRestart(withinMs: number): Promise<number> {
    return this.#room?.prepareRestart(withinMs) ?? 0;
  }

  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get('Upgrade')?.toLowerCase() !== 'websocket') return problemResponse({ code: 'upgrade_required' });
    const wanted = socketRequestSchema.parse(JSON.parse(request.headers.get(SOCKET_REQUEST_HEADER) ?? 'null'));
    const room = await this.#open(wanted.channel_id);
    if ('problem' in room) return problemResponse(room.problem);
    const refusal = openSockets.refusal(socketLimits(this.env));
    if (refusal !== null) return problemResponse(refusal);
    const { 0: client, 1: server } = new WebSocketPair();
    const joined = await room.ok.join(wanted, () => this.#accept(server));
    if ('problem' in joined) return problemResponse(joined.problem);
    return 'node' in joined.ok ? Response.json(joined.ok satisfies Placement) : upgraded(request, client);
  }

  override async webSocketMessage(webSocket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const socket = this.#sockets.get(webSocket);
    if (socket !== undefined) await this.#room?.message(socket, message);
  }

  override webSocketClose(webSocket: WebSocket, code: number): void {
    this.#leave(webSocket);
    answerClose(webSocket, code);
  }

  override webSocketError(webSocket: WebSocket): void {
    this.#leave(webSocket);
  }

  override async alarm(): Promise<void> {
    await this.#room?.alarm();
  }

  async #mustOpen(channelId: string): Promise<LiveRoom> {
    const room = await this.#open(channelId);
    if ('problem' in room) throw new Error(room.problem.code);
    return room.ok;
  }

  async #open(channelId: string): Promise<Outcome<LiveRoom>> {
    if (this.#room?.channelId === channelId) return { ok: this.#room };
    if (this.#room !== null) throw new Error('this object is another channel');
    this.#opening ??= this.#bootstrap(channelId).finally(() => (this.#opening = null));
    return await this.#opening;
  }

  async #bootstrap(channelId: string): Promise<Outcome<LiveRoom>> {
    try {
      if (!(await bootstrap(this.#sql, this.#record, channelId))) return { problem: { code: 'not_found' } };
    } catch (error) {
      warn('bootstrap', { channel_id: channelId, error: String(error) });
      return { problem: { code: 'unavailable', retry_after: 1 } };
    } finally {
      this.#closeWhenIdle();
    }
    this.#room = this.#openStored();
    return this.#room === null ? { problem: { code: 'internal' } } : { ok: this.#room };
  }

  /** An open room sees to its connection; one that could not be opened must not stay awake for it. */
  #closeWhenIdle(): void {
    setTimeout(() => {
      if (this.#room === null && !this.#record.rest()) this.#closeWhenIdle();
    }, REST_MS);
  }

  #openStored(): LiveRoom | null {
    const conversation = Conversation.open(this.#sql, { newId: (now) => this.#ids.generateOrResetWithTs(now).toString() });
    if (conversation === null) return null;
    const room: LiveRoom = new Room(conversation, this.#ports(conversation.channelId));
    room.resume(this.ctx.getWebSockets().flatMap((webSocket) => this.#takeOver(webSocket)));
    return room;
  }

  #takeOver(webSocket: WebSocket): [HibernatableSocket, SocketRecord][] {
    const socket = new HibernatableSocket(webSocket);
    const record = socket.record();
    if (record === null) socket.close(1012, closeReason('the room was restarted', reconnectWindowMs(this.ctx.getWebSockets().length)));
    else this.#sockets.set(webSocket, socket);
    return record === null ? [] : [[socket, record]];
  }

  #accept(webSocket: WebSocket): HibernatableSocket {
    this.ctx.acceptWebSocket(webSocket);
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
    this.#room?.left(socket);
  }

  #ports(channelId: string): RoomPorts<HibernatableSocket> {
    const { storage } = this.ctx;
    return {
      clock: Date.now,
      random: Math.random,
      schedule: (ms, task) => void setTimeout(task, ms),
      durable: () => storage.sync(),
      alarms: this.#alarms(),
      presences: new PresenceCache(this.#sql),
      watchInbox: (userId) => within(CALL_MS, this.env.INBOXES.getByName(userId).watchPresence(userId, channelId)),
      record: this.#record,
      nodes: new NodeTable(this.#sql),
      node: (node) => this.#node(channelId, node),
      limits: socketLimits(this.env),
      report: (report) => void this.env.METRICS_HUB.getByName('hub').report(report).catch(() => {}),
      warn: (message, fields) => warn(message, { channel_id: channelId, ...fields }),
      lastPing: (socket) => this.ctx.getWebSocketAutoResponseTimestamp(socket.webSocket)?.getTime() ?? 0,
      redeem: (userId, ticket) => this.env.INBOXES.getByName(userId).redeemTicket(ticket),
      restart: (reason, forget) => void this.#restart(reason, forget),
    };
  }

  #node(channelId: string, node: number): NodeStub {
    const stub = this.env.NODES.getByName(nodeName(channelId, node));
    return {
      publish: (batch) => stub.publish(channelId, node, batch),
      tell: (telling) => stub.tell(channelId, node, telling),
      closeWhere: (whose, code, reason) => stub.closeWhere(channelId, node, whose, code, reason),
    };
  }

  #alarms(): Alarms<RoomAlarm> {
    const { storage } = this.ctx;
    return new Alarms(this.#sql, ROOM_ALARMS, { setAlarm: (at) => void storage.setAlarm(at), clearAlarm: () => void storage.deleteAlarm() });
  }

  async #restart(reason: string, forget: boolean): Promise<void> {
    if (forget) Conversation.forget(this.#sql);
    await this.ctx.storage.sync();
    this.ctx.abort(reason);
  }
}

function warn(message: string, fields: Readonly<Record<string, unknown>>): void {
  console.warn(JSON.stringify({ level: 'warn', component: 'channel-room', message, ...fields }));
}
