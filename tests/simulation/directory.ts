import type { Outcome } from '../../protocol/errors.ts';
import type { MemberRole } from '../../protocol/events.ts';
import type { Actor, Redeemed } from '../../durable-objects/sockets/actor-api.ts';
import { integer } from '../../client/testing/random.ts';
import { id } from '../support/room-core.ts';
import type { InboxObject } from './inbox-object.ts';
import type { StoredChange } from './notifier.ts';
import type { RoomObject } from './room-object.ts';
import type { ObjectPorts } from './simulated-object.ts';

/** Tickets, each for one socket or one refresh. */
export class Tickets {
  readonly #issued = new Map<string, Actor>();
  #count = 0;

  issue(actor: Actor): string {
    this.#count += 1;
    const ticket = `ticket-${this.#count}`;
    this.#issued.set(ticket, actor);
    return ticket;
  }

  redeem(ticket: string): Redeemed | null {
    const actor = this.#issued.get(ticket);
    this.#issued.delete(ticket);
    return actor === undefined ? null : { actor, next_ticket: this.issue(actor) };
  }
}

interface DirectoryPorts extends Pick<ObjectPorts, 'schedule' | 'random' | 'stored' | 'watch' | 'trace' | 'tickets'> {
  readonly room: RoomObject;
  readonly inboxes: readonly InboxObject[];
}

/** Members and credentials, as the Workers write them: to Postgres, then to the room, again and again until it was told. */
export class Directory {
  readonly #ports: DirectoryPorts;
  readonly #revoked = new Set<string>();
  /** Changes of members, in the order of their commits. */
  readonly changes: StoredChange[] = [];
  #ids = 0;
  #telling = 0;

  constructor(ports: DirectoryPorts) {
    this.#ports = ports;
  }

  get tickets(): Tickets {
    return this.#ports.tickets;
  }

  /** Changes that the room has not been told of yet. */
  get telling(): number {
    return this.#telling;
  }

  signIn(userId: string): Actor {
    const { schedule, random } = this.#ports;
    this.#ids += 1;
    return { user_id: userId, credential_id: id(3, this.#ids), expires_at: schedule.now() + 20_000 + integer(random, 900_000) };
  }

  isGood({ credential_id, expires_at }: Actor): boolean {
    return expires_at > this.#ports.schedule.now() && !this.#revoked.has(credential_id);
  }

  /** Resolves when the call that changed the member would return. */
  async setMember(userId: string, role: MemberRole | null): Promise<void> {
    const { stored, watch, trace } = this.#ports;
    trace.note(() => `Postgres: ${userId} is ${role ?? 'no member any more'}`);
    this.#ids += 1;
    const eventId = id(4, this.#ids);
    stored.setMember(userId, role);
    if (role === null) watch.everRemoved.add(userId);
    else watch.removed.delete(userId);
    const change = { event_id: eventId, user_id: userId, actor_id: userId, ...stored.membership(userId) };
    this.changes.push({ ...change, channel_id: stored.channelId });
    await this.#tell(async () => 'ok' in (await this.#ports.room.call((room) => room.applyMemberChange({ ...change, ...stored.membership(userId) }))));
    await this.#tellInbox(userId, (inbox) => inbox.callInbox((it) => it.applyMemberChange({ ...change, channel_id: stored.channelId })));
    // Who was let in again meanwhile is removed when that removal is answered.
    if (role === null && stored.membership(userId).version === change.version) watch.removed.add(userId);
  }

  /** Resolves when the call that revoked it would return. */
  async revoke({ user_id, credential_id, expires_at }: Actor): Promise<void> {
    const { schedule, watch, trace } = this.#ports;
    trace.note(() => `Postgres: ${credential_id} is revoked`);
    this.#revoked.add(credential_id);
    await this.#tell(async () => 'ok' in (await this.#ports.room.call((room) => room.revokeCredential(credential_id, expires_at))));
    await this.#tellInbox(user_id, (inbox) =>
      inbox.call((shell) => {
        shell.tickets.revoke(credential_id, schedule.now());
        shell.inbox?.revokeCredential(credential_id);
      }),
    );
    watch.revoked.add(credential_id);
  }

  async #tellInbox(userId: string, call: (inbox: InboxObject) => Promise<Outcome<unknown>>): Promise<void> {
    const inbox = this.#ports.inboxes.find(({ stored }) => stored.userId === userId);
    if (inbox !== undefined) await this.#tell(async () => 'ok' in (await call(inbox)));
  }

  /** Until it was taken. */
  async #tell(attempt: () => Promise<boolean>): Promise<void> {
    this.#telling += 1;
    while (!(await attempt().catch(() => false))) await this.#ports.schedule.delay(500);
    this.#telling -= 1;
  }
}
