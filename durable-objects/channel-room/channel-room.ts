import { DurableObject } from 'cloudflare:workers';
import type { AnnounceAnswer, ChannelStanding, Removal, RoomNews } from '../../protocol/announcements.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import type { RedactAnswer, Redaction } from '../../protocol/redactions.ts';
import { Alarms } from '../alarms.ts';
import { alarmPort, platformPorts, restarting, risingIds, warnings } from '../platform.ts';
import { StoredCore } from '../stored-core.ts';
import { within } from '../within.ts';
import { durableSql } from '../log/durable-sql.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { bootstrap } from './bootstrap.ts';
import { Conversation } from './conversation.ts';
import type { ArchivedChunk } from '../log/archive.ts';
import type { OlderEvents } from '../sockets/fanout-log.ts';
import type { HibernatableSocket } from '../sockets/hibernatable-socket.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import type { PresenceNotice } from '../user-inbox/presence-api.ts';
import { PresenceCache } from './presence-cache.ts';
import { SocketHost } from '../sockets/socket-host.ts';
import { socketLimits } from '../sockets/socket-limits.ts';
import { socketRequestSchema } from '../sockets/socket-request.ts';
import { nodeName } from '../fanout-node/node-api.ts';
import type { NodeStub } from './node-link.ts';
import { NodeTable } from './node-table.ts';
import type { ActorCommand, Admission, FoundMessage, LogHead, MemberChange, RevokedCredential, RoomApi, SocketRequest } from './room-api.ts';
import { ROOM_ALARMS } from './room-alarms.ts';
import { roomPostgres } from './room-postgres.ts';
import type { RoomRecord } from './room-record.ts';
import { Room } from './room.ts';
import type { RoomPorts } from './room-ports.ts';

/** Longest that an inbox may take to answer. */
const CALL_MS = 10_000;

const warningsOf = (channel_id: string) => warnings('channel-room', { channel_id });

type LiveRoom = Room<HibernatableSocket>;

/** The object of one channel: gives a `Room` the platform. */
export class ChannelRoom extends DurableObject<Env> implements RoomApi {
  readonly #sql: SqlDriver;
  readonly #record: RoomRecord;
  readonly #newId = risingIds();
  readonly #sockets: SocketHost;
  readonly #room: StoredCore<LiveRoom>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = durableSql(ctx);
    this.#record = roomPostgres(() => this.env.POSTGRES.connectionString, Date.now);
    this.#sockets = new SocketHost(ctx, env, 'room', () => this.#room.current);
    this.#room = new StoredCore({
      ...platformPorts(ctx, env),
      stored: () => this.#stored(),
      idOf: ({ channelId }) => channelId,
      fill: (channelId) => bootstrap(this.#sql, this.#record, channelId),
      failed: (channelId, error) => warningsOf(channelId)('bootstrap', { error: String(error) }),
      rest: () => this.#record.rest(),
    });
  }

  async execute(channelId: string, actor: Actor, command: Command): Promise<Outcome<CommandResult>> {
    const room = await this.#room.open(channelId);
    return 'problem' in room ? room : await room.ok.execute(actor, command);
  }

  async executeEach(channelId: string, commands: readonly ActorCommand[]): Promise<(Outcome<CommandResult> | null)[]> {
    const room = await this.#room.open(channelId);
    return 'problem' in room ? commands.map(() => room) : await room.ok.executeEach(commands);
  }

  async executeBatch(channelId: string, actor: Actor, commands: readonly Command[]): Promise<Outcome<CommandResult[]>> {
    const room = await this.#room.open(channelId);
    return 'problem' in room ? room : await room.ok.executeBatch(actor, commands);
  }

  async findAt(channelId: string, actor: Actor, ms: number, remainder: number): Promise<Outcome<FoundMessage | null>> {
    const room = await this.#room.open(channelId);
    return 'problem' in room ? room : await room.ok.findAt(actor, ms, remainder);
  }

  async headFor(channelId: string, actor: Actor): Promise<Outcome<LogHead>> {
    const room = await this.#room.open(channelId);
    return 'problem' in room ? room : await room.ok.headFor(actor);
  }

  async lastPosFor(channelId: string, actor: Actor): Promise<Outcome<number>> {
    const room = await this.#room.open(channelId);
    return 'problem' in room ? room : await room.ok.lastPosFor(actor);
  }

  async findSent(channelId: string, userId: string, clientMsgId: string): Promise<string | null> {
    return (await this.#room.mustOpen(channelId)).findSent(userId, clientMsgId);
  }

  async applyMemberChange(channelId: string, change: MemberChange): Promise<void> {
    await (await this.#room.mustOpen(channelId)).applyMemberChange(change);
  }

  async admit(node: number, request: SocketRequest): Promise<Outcome<Admission>> {
    const room = await this.#room.open(request.channel_id);
    return 'problem' in room ? room : await room.ok.admit(node, request);
  }

  async head(channelId: string): Promise<LogHead> {
    return (await this.#room.mustOpen(channelId)).head;
  }

  async redeem(channelId: string, userId: string, ticket: string): Promise<Redeemed | null> {
    return await (await this.#room.mustOpen(channelId)).redeem(userId, ticket);
  }

  async typed(channelId: string, actor: Actor, threadId: string | null): Promise<void> {
    (await this.#room.mustOpen(channelId)).typed(actor, threadId);
  }

  async roster(channelId: string, node: number, users: Float64Array): Promise<void> {
    (await this.#room.mustOpen(channelId)).roster(node, users);
  }

  async look(channelId: string): Promise<void> {
    (await this.#room.mustOpen(channelId)).look();
  }

  async eventsBetween(channelId: string, epoch: number, ...range: Parameters<OlderEvents['read']>): Promise<ArchivedChunk | null> {
    return await (await this.#room.mustOpen(channelId)).eventsBetween(epoch, ...range);
  }

  async revokeCredentials(channelId: string, credentials: readonly RevokedCredential[]): Promise<void> {
    const room = await this.#room.mustOpen(channelId);
    await Promise.all(credentials.map(({ credential_id, expires_at }) => room.revokeCredential(credential_id, expires_at)));
  }

  async setStanding(channelId: string, standing: ChannelStanding): Promise<void> {
    (await this.#room.mustOpen(channelId)).orders.setStanding(standing);
  }

  async announce(channelId: string, { changes, revoked, channel, files = [], removals = [], previews = [] }: RoomNews): Promise<AnnounceAnswer> {
    // Nobody is in a room that was never opened, and it learns its channel when it is; but whom to keep out it has to be told, and what is for its log alone.
    if (this.#room.isUnused && revoked.length === 0 && removals.length === 0 && previews.length === 0) return { status: 'told' };
    const room = await this.#room.open(channelId);
    if ('problem' in room) return { status: room.problem.code === 'not_found' ? 'unknown' : 'unavailable' };
    if (channel !== null) room.ok.orders.setStanding(channel);
    if (files.length > 0) room.ok.orders.announceFiles(files);
    for (const change of changes) await room.ok.applyMemberChange(change);
    await this.revokeCredentials(channelId, revoked);
    if (previews.length > 0 && 'problem' in room.ok.orders.announcePreviews(previews)) return { status: 'unavailable' };
    if (removals.length > 0 && 'problem' in room.ok.orders.removeMessages(removals)) return { status: 'unavailable' };
    return { status: 'told' };
  }

  async redact(redaction: Redaction): Promise<RedactAnswer> {
    const room = await this.#room.open(redaction.channel_id);
    if ('problem' in room) return { status: room.problem.code === 'not_found' ? 'unknown' : 'unavailable' };
    return room.ok.orders.redact(redaction);
  }

  async removeMessages(channelId: string, removals: readonly Removal[]): Promise<Outcome<true>> {
    const room = await this.#room.open(channelId);
    return 'problem' in room ? room : room.ok.orders.removeMessages(removals);
  }

  /** A room that is not open has no sockets that look. */
  async presenceChanged(channelId: string, notice: PresenceNotice): Promise<boolean> {
    const room = this.#room.current;
    return room?.channelId === channelId && room.presenceChanged(notice);
  }

  async prepareRestart(withinMs: number): Promise<number> {
    return this.#room.current?.prepareRestart(withinMs) ?? 0;
  }

  override async fetch(request: Request): Promise<Response> {
    return await this.#sockets.upgrade(request, socketRequestSchema, async (wanted, open) => {
      const room = await this.#room.open(wanted.channel_id);
      return 'problem' in room ? room : await room.ok.join(wanted, open);
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
    const room = this.#room.current;
    if (room !== null) return await room.alarm();
    // It starts over: what was to be done is done when it is opened, and what has rung must not stand in the way of what will be set.
    new Alarms(this.#sql, ROOM_ALARMS, alarmPort(this.ctx)).due(Date.now());
  }

  #stored(): LiveRoom | null {
    const conversation = Conversation.open(this.#sql, { newId: this.#newId });
    if (conversation === null) return null;
    const room: LiveRoom = new Room(conversation, this.#ports(conversation.channelId));
    room.resume(this.#sockets.found());
    return room;
  }

  #ports(channelId: string): RoomPorts<HibernatableSocket> {
    return {
      ...platformPorts(this.ctx, this.env),
      alarms: new Alarms(this.#sql, ROOM_ALARMS, alarmPort(this.ctx)),
      presences: new PresenceCache(this.#sql),
      watchInbox: (userId) => within(CALL_MS, this.env.INBOXES.getByName(userId).watchPresence(userId, channelId)),
      record: this.#record,
      nodes: new NodeTable(this.#sql),
      node: (node) => this.#node(channelId, node),
      limits: socketLimits(this.env),
      warn: warningsOf(channelId),
      lastPing: (socket) => this.#sockets.lastPing(socket),
      redeem: (userId, ticket) => this.env.INBOXES.getByName(userId).redeemTicket(ticket),
      restart: restarting(this.ctx, () => Conversation.forget(this.#sql)),
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
}
