import { DurableObject } from 'cloudflare:workers';
import type { SavedState } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { NoticesRead, ReadResult } from '../../protocol/frames.ts';
import { NEXT_TICKET_SECONDS, TICKET_SECONDS } from '../../protocol/limits.ts';
import type { InboxNote } from '../../protocol/inbox-events.ts';
import type { InboxMemberChange, InboxTelling, TellAnswer } from '../../protocol/tellings.ts';
import { Alarms } from '../alarms.ts';
import { durableSql } from '../log/durable-sql.ts';
import { PostgresBurst } from '../log/postgres-burst.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { alarmPort, platformPorts, restarting, risingIds, warnings } from '../platform.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import type { HibernatableSocket } from '../sockets/hibernatable-socket.ts';
import { SocketHost } from '../sockets/socket-host.ts';
import { inboxSocketRequestSchema } from '../sockets/socket-request.ts';
import { StoredCore } from '../stored-core.ts';
import { within } from '../within.ts';
import type { InboxApi } from './inbox-api.ts';
import { INBOX_ALARMS } from './inbox-alarms.ts';
import { bootstrapInbox } from './inbox-bootstrap.ts';
import { inboxPostgres } from './inbox-postgres.ts';
import { InboxState } from './inbox-state.ts';
import { Inbox } from './inbox.ts';
import type { InboxPorts } from './inbox-ports.ts';
import type { Wish } from './presence.ts';
import type { WatchedPresence } from './presence-api.ts';
import { PresenceTable } from './presence-table.ts';
import { hashOf, nextTicketOf, ticketOf } from './ticket-secrets.ts';
import { Tickets } from './tickets.ts';

/** Longest that a room may take to be told or asked. */
const CALL_MS = 10_000;

const warningsOf = (user_id: string) => warnings('user-inbox', { user_id });

type LiveInbox = Inbox<HibernatableSocket>;

/** The object of one user: gives an `Inbox` the platform, and keeps the tickets. */
export class UserInbox extends DurableObject<Env> implements InboxApi {
  readonly #sql: SqlDriver;
  readonly #tickets: Tickets;
  readonly #presences: PresenceTable;
  readonly #burst: PostgresBurst;
  readonly #newId = risingIds();
  readonly #sockets: SocketHost;
  readonly #inbox: StoredCore<LiveInbox>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = durableSql(ctx);
    this.#tickets = new Tickets(this.#sql);
    this.#presences = new PresenceTable(this.#sql);
    this.#burst = new PostgresBurst(() => this.env.POSTGRES.connectionString, 'colink-inbox', Date.now);
    this.#sockets = new SocketHost(ctx, env, 'inbox', () => this.#inbox.current);
    this.#inbox = new StoredCore({
      ...platformPorts(ctx, env),
      stored: () => this.#stored(),
      idOf: ({ userId }) => userId,
      fill: (userId) => this.#fill(userId),
      failed: (userId, error) => warningsOf(userId)('bootstrap', { error: String(error) }),
      rest: () => this.#burst.rest(),
    });
  }

  async issueTicket(actor: Actor): Promise<string> {
    return await this.#issue(actor, TICKET_SECONDS);
  }

  async issueNextTicket(actor: Actor): Promise<string | null> {
    return this.#tickets.isRevoked(actor.credential_id) ? null : await this.#issue(actor, NEXT_TICKET_SECONDS);
  }

  async redeemTicket(ticket: string): Promise<Redeemed | null> {
    const next = nextTicketOf(ticket);
    const [hash, nextHash] = await Promise.all([hashOf(ticket), hashOf(next)]);
    const now = Date.now();
    const actor = this.#tickets.redeem(hash, now, { hash: nextHash, expiresAt: now + NEXT_TICKET_SECONDS * 1_000 });
    return actor && { actor, next_ticket: next };
  }

  async revokeCredential(credentialId: string): Promise<void> {
    this.#tickets.revoke(credentialId, Date.now());
    this.#inbox.current?.revokeCredential(credentialId);
  }

  async read(actor: Actor, ...read: [channelId: string, pos: number, generation?: number]): Promise<Outcome<ReadResult>> {
    const inbox = await this.#inbox.open(actor.user_id);
    return 'problem' in inbox ? inbox : await inbox.ok.read(actor, ...read);
  }

  async markUnread(actor: Actor, ...unread: [channelId: string, pos: number, generation?: number]): Promise<Outcome<ReadResult>> {
    const inbox = await this.#inbox.open(actor.user_id);
    return 'problem' in inbox ? inbox : await inbox.ok.markUnread(actor, ...unread);
  }

  async readNotices(actor: Actor, upTo: number | null): Promise<Outcome<NoticesRead>> {
    const inbox = await this.#inbox.open(actor.user_id);
    return 'problem' in inbox ? inbox : inbox.ok.readNotices(actor, upTo);
  }

  async applyMemberChange(userId: string, change: InboxMemberChange): Promise<void> {
    (await this.#inbox.mustOpen(userId)).applyMemberChange(change);
  }

  async note(userId: string, note: InboxNote, version: number): Promise<void> {
    (await this.#inbox.mustOpen(userId)).note(note, version);
  }

  async savedChanged(userId: string, state: SavedState): Promise<void> {
    (await this.#inbox.mustOpen(userId)).savedChanged(state);
  }

  async tell(userId: string, telling: InboxTelling): Promise<TellAnswer> {
    const inbox = await this.#inbox.open(userId);
    if ('ok' in inbox) return inbox.ok.tell(telling);
    return { status: inbox.problem.code === 'not_found' ? 'unknown' : 'unavailable' };
  }

  /** An inbox that never had a socket need not know its user for that: nobody is there. */
  async watchPresence(userId: string, channelId: string): Promise<WatchedPresence> {
    return this.#presences.watch(userId, channelId);
  }

  async choosePresence(userId: string, wish: Wish): Promise<Outcome<null>> {
    const inbox = await this.#inbox.open(userId);
    return 'problem' in inbox ? inbox : inbox.ok.choosePresence(wish);
  }

  async prepareRestart(withinMs: number): Promise<number> {
    return this.#inbox.current?.prepareRestart(withinMs) ?? 0;
  }

  override async fetch(request: Request): Promise<Response> {
    return await this.#sockets.upgrade(request, inboxSocketRequestSchema, async (wanted, open) => {
      const inbox = await this.#inbox.open(wanted.actor.user_id);
      return 'problem' in inbox ? inbox : await inbox.ok.join(wanted, open);
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
    const inbox = this.#inbox.current;
    if (inbox !== null) return await inbox.alarm();
    // It starts over: what was to be done is done when it is opened, and what has rung must not stand in the way of what will be set.
    new Alarms(this.#sql, INBOX_ALARMS, alarmPort(this.ctx)).due(Date.now());
  }

  async #fill(userId: string): Promise<boolean> {
    const isFilled = await bootstrapInbox(this.#sql, inboxPostgres(this.#burst, userId), this.#presences, userId);
    if (isFilled) platformPorts(this.ctx, this.env).report({ source: `inbox ${userId}`, counters: [{ name: 'colink_inbox_bootstraps_total', add: 1 }] });
    return isFilled;
  }

  #stored(): LiveInbox | null {
    const state = InboxState.open(this.#sql, this.#newId);
    if (state === null) return null;
    const inbox: LiveInbox = new Inbox(state, this.#ports(state.userId));
    inbox.resume(this.#sockets.found());
    return inbox;
  }

  #ports(userId: string): InboxPorts<HibernatableSocket> {
    return {
      ...platformPorts(this.ctx, this.env),
      alarms: new Alarms(this.#sql, INBOX_ALARMS, alarmPort(this.ctx)),
      record: inboxPostgres(this.#burst, userId),
      redeem: (ticket) => this.redeemTicket(ticket),
      isRevoked: (credentialId) => this.#tickets.isRevoked(credentialId),
      warn: warningsOf(userId),
      lastPing: (socket) => this.#sockets.lastPing(socket),
      presences: this.#presences,
      lastPosOf: async (channelId, actor) => await within<Outcome<number>>(CALL_MS, this.env.ROOMS.getByName(channelId).lastPosFor(channelId, actor)),
      tellRoom: (channelId, notice) => within(CALL_MS, this.env.ROOMS.getByName(channelId).presenceChanged(channelId, notice)),
      restart: restarting(this.ctx, () => InboxState.forget(this.#sql)),
    };
  }

  async #issue(actor: Actor, seconds: number): Promise<string> {
    const ticket = ticketOf(actor.user_id);
    const hash = await hashOf(ticket);
    const now = Date.now();
    this.#tickets.issue(hash, actor, now, now + seconds * 1_000);
    return ticket;
  }
}
