import { DurableObject } from 'cloudflare:workers';
import { V7Generator } from 'uuidv7';
import { z } from 'zod';
import { closeReason } from '../../protocol/close-codes.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { ReadResult } from '../../protocol/frames.ts';
import { TICKET_SECONDS } from '../../protocol/limits.ts';
import { counterSchema, idSchema } from '../../protocol/primitives.ts';
import type { InboxMemberChange, InboxTelling, TellAnswer } from '../../protocol/tellings.ts';
import { SOCKET_REQUEST_HEADER } from '../channel-room/room-api.ts';
import { Alarms } from '../alarms.ts';
import { durableSql } from '../log/durable-sql.ts';
import { PostgresBurst } from '../log/postgres-burst.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { SocketRecord } from '../sockets/fanout.ts';
import { answerClose, HibernatableSocket } from '../sockets/hibernatable-socket.ts';
import { openSockets } from '../sockets/open-sockets.ts';
import { reconnectWindowMs } from '../sockets/reconnect-window.ts';
import { socketLimits } from '../sockets/socket-limits.ts';
import { problemResponse, upgraded } from '../sockets/upgrade.ts';
import type { InboxApi, InboxSocketRequest } from './inbox-api.ts';
import { INBOX_ALARMS } from './inbox-alarms.ts';
import { bootstrapInbox } from './inbox-bootstrap.ts';
import { inboxPostgres } from './inbox-postgres.ts';
import { InboxState } from './inbox-state.ts';
import { Inbox, type InboxPorts } from './inbox.ts';
import type { Wish } from './presence.ts';
import type { WatchedPresence } from './presence-api.ts';
import { PresenceTable } from './presence-table.ts';
import { within } from '../within.ts';
import { Tickets } from './tickets.ts';

const SECRET_BYTES = 32;
const REST_MS = 1_000;
/** Longest that a room may take to be told. */
const CALL_MS = 10_000;

const socketRequestSchema = z.strictObject({
  actor: z.strictObject({ user_id: idSchema, credential_id: idSchema, expires_at: z.number() }),
  since: z.strictObject({ epoch: z.int(), seq: counterSchema }).nullable(),
}) satisfies z.ZodType<InboxSocketRequest>;

type LiveInbox = Inbox<HibernatableSocket>;

/** The object of one user: gives an `Inbox` the platform, and keeps the tickets. */
export class UserInbox extends DurableObject<Env> implements InboxApi {
  readonly #sql: SqlDriver;
  readonly #tickets: Tickets;
  readonly #presences: PresenceTable;
  readonly #burst: PostgresBurst;
  readonly #ids = new V7Generator();
  readonly #sockets = new Map<WebSocket, HibernatableSocket>();
  #inbox: LiveInbox | null;
  #opening: Promise<Outcome<LiveInbox>> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = durableSql({ storage: ctx.storage, abort: (reason) => ctx.abort(reason) });
    this.#tickets = new Tickets(this.#sql);
    this.#presences = new PresenceTable(this.#sql);
    this.#burst = new PostgresBurst(() => this.env.POSTGRES.connectionString, 'colink-inbox', Date.now);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    this.#inbox = this.#openStored();
    this.#count();
  }

  async issueTicket(actor: Actor): Promise<string> {
    const secret = base64url(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
    const ticket = `${actor.user_id.replaceAll('-', '')}${secret}`;
    const hash = await sha256(ticket);
    const now = Date.now();
    this.#tickets.issue(hash, actor, now, now + TICKET_SECONDS * 1_000);
    return ticket;
  }

  async redeemTicket(ticket: string): Promise<Actor | null> {
    return this.#tickets.redeem(await sha256(ticket), Date.now());
  }

  async revokeCredential(credentialId: string): Promise<void> {
    this.#tickets.revoke(credentialId, Date.now());
    this.#inbox?.revokeCredential(credentialId);
  }

  async read(actor: Actor, channelId: string, pos: number): Promise<Outcome<ReadResult>> {
    const inbox = await this.#open(actor.user_id);
    return 'problem' in inbox ? inbox : await inbox.ok.read(actor, channelId, pos);
  }

  async applyMemberChange(userId: string, change: InboxMemberChange): Promise<void> {
    const inbox = await this.#open(userId);
    if ('problem' in inbox) throw new Error(inbox.problem.code);
    inbox.ok.applyMemberChange(change);
  }

  async tell(userId: string, telling: InboxTelling): Promise<TellAnswer> {
    const inbox = await this.#open(userId);
    if ('ok' in inbox) return inbox.ok.tell(telling);
    return { status: inbox.problem.code === 'not_found' ? 'unknown' : 'unavailable' };
  }

  /** An inbox that never had a socket need not know its user for that: nobody is there. */
  async watchPresence(userId: string, channelId: string): Promise<WatchedPresence> {
    return this.#presences.watch(userId, channelId);
  }

  async choosePresence(userId: string, wish: Wish): Promise<Outcome<null>> {
    const inbox = await this.#open(userId);
    return 'problem' in inbox ? inbox : inbox.ok.choosePresence(wish);
  }

  async prepareRestart(withinMs: number): Promise<number> {
    return this.#inbox?.prepareRestart(withinMs) ?? 0;
  }

  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get('Upgrade')?.toLowerCase() !== 'websocket') return problemResponse({ code: 'upgrade_required' });
    const wanted = socketRequestSchema.parse(JSON.parse(request.headers.get(SOCKET_REQUEST_HEADER) ?? 'null'));
    const inbox = await this.#open(wanted.actor.user_id);
    if ('problem' in inbox) return problemResponse(inbox.problem);
    const refusal = openSockets.refusal(socketLimits(this.env));
    if (refusal !== null) return problemResponse(refusal);
    const { 0: client, 1: server } = new WebSocketPair();
    const joined = await inbox.ok.join(wanted, () => this.#accept(server));
    return 'problem' in joined ? problemResponse(joined.problem) : upgraded(request, client);
  }

  override async webSocketMessage(webSocket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const socket = this.#sockets.get(webSocket);
    if (socket !== undefined) await this.#inbox?.message(socket, message);
  }

  override webSocketClose(webSocket: WebSocket, code: number): void {
    this.#leave(webSocket);
    answerClose(webSocket, code);
  }

  override webSocketError(webSocket: WebSocket): void {
    this.#leave(webSocket);
  }

  override async alarm(): Promise<void> {
    await this.#inbox?.alarm();
  }

  async #open(userId: string): Promise<Outcome<LiveInbox>> {
    if (this.#inbox?.userId === userId) return { ok: this.#inbox };
    if (this.#inbox !== null) throw new Error('this object is another user');
    this.#opening ??= this.#bootstrap(userId).finally(() => (this.#opening = null));
    return await this.#opening;
  }

  async #bootstrap(userId: string): Promise<Outcome<LiveInbox>> {
    try {
      if (!(await bootstrapInbox(this.#sql, inboxPostgres(this.#burst, userId), this.#presences, userId))) return { problem: { code: 'not_found' } };
    } catch (error) {
      warn('bootstrap', { user_id: userId, error: String(error) });
      return { problem: { code: 'unavailable', retry_after: 1 } };
    } finally {
      this.#closeWhenIdle();
    }
    this.#inbox = this.#openStored();
    return this.#inbox === null ? { problem: { code: 'internal' } } : { ok: this.#inbox };
  }

  /** Whoever opened it: the connection must not keep the object awake. */
  #closeWhenIdle(): void {
    setTimeout(() => {
      if (!this.#burst.rest()) this.#closeWhenIdle();
    }, REST_MS);
  }

  #openStored(): LiveInbox | null {
    const state = InboxState.open(this.#sql, (now) => this.#ids.generateOrResetWithTs(now).toString());
    if (state === null) return null;
    const inbox: LiveInbox = new Inbox(state, this.#ports(state.userId));
    inbox.resume(this.ctx.getWebSockets().flatMap((webSocket) => this.#takeOver(webSocket)));
    return inbox;
  }

  #takeOver(webSocket: WebSocket): [HibernatableSocket, SocketRecord][] {
    const socket = new HibernatableSocket(webSocket);
    const record = socket.record();
    if (record === null) socket.close(1012, closeReason('the inbox was restarted', reconnectWindowMs(this.ctx.getWebSockets().length)));
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
    this.#inbox?.left(socket);
  }

  #ports(userId: string): InboxPorts<HibernatableSocket> {
    const { storage } = this.ctx;
    return {
      clock: Date.now,
      random: Math.random,
      schedule: (ms, task) => void setTimeout(task, ms),
      durable: () => storage.sync(),
      alarms: new Alarms(this.#sql, INBOX_ALARMS, { setAlarm: (at) => void storage.setAlarm(at), clearAlarm: () => void storage.deleteAlarm() }),
      record: inboxPostgres(this.#burst, userId),
      redeem: (ticket) => this.redeemTicket(ticket),
      isRevoked: (credentialId) => this.#tickets.isRevoked(credentialId),
      report: (report) => void this.env.METRICS_HUB.getByName('hub').report(report).catch(() => {}),
      warn: (message, fields) => warn(message, { user_id: userId, ...fields }),
      lastPing: (socket) => this.ctx.getWebSocketAutoResponseTimestamp(socket.webSocket)?.getTime() ?? 0,
      presences: this.#presences,
      tellRoom: (channelId, notice) => within(CALL_MS, this.env.ROOMS.getByName(channelId).presenceChanged(channelId, notice)),
      restart: (reason, forget) => void this.#restart(reason, forget),
    };
  }

  async #restart(reason: string, forget: boolean): Promise<void> {
    if (forget) InboxState.forget(this.#sql);
    await this.ctx.storage.sync();
    this.ctx.abort(reason);
  }
}

/** Letters, digits, `-` and `_` only: a WebSocket subprotocol takes no others. */
const base64url = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

async function sha256(text: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

function warn(message: string, fields: Readonly<Record<string, unknown>>): void {
  console.warn(JSON.stringify({ level: 'warn', component: 'user-inbox', message, ...fields }));
}
