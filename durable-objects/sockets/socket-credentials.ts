import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { RefreshResult } from '../../protocol/frames.ts';
import { AUTH_NOTICE_SECONDS } from '../../protocol/limits.ts';
import type { PurposeAlarm } from '../alarms.ts';
import type { Actor, Redeemed } from './actor-api.ts';
import type { Fanout } from './fanout.ts';
import type { RoomSocket, SocketRecord } from './socket-record.ts';
import { authExpiringFrame } from './frames.ts';

const NOTICE_MS = AUTH_NOTICE_SECONDS * 1_000;
/** Notices that are due within this time of the alarm go with it, so that credentials that end one after the other do not each wake the object. */
const GATHER_MS = 5_000;

export interface CredentialPorts extends PurposeAlarm {
  clock(): number;
  /** As `InboxApi.redeemTicket` of this user. Rejects where their inbox cannot be reached. */
  redeem(userId: string, ticket: string): Promise<Redeemed | null>;
  /** Why this actor may not have a socket here, or null. */
  refusal(actor: Actor): Problem | null;
}

/**
 * The credentials that carry sockets: tells a socket 60 s before its own ends (`auth.expiring`), goes on with another one (`refresh`), and closes it with
 * 4001 at the end. All by the object's alarm at the earliest of these moments, so that a sleeping object does it too. A socket that leaves does
 * not move the alarm: it then rings once for nothing.
 */
export class SocketCredentials<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #ports: CredentialPorts;
  /** Sockets whose refresh is under way. */
  readonly #refreshing = new WeakSet<S>();

  constructor(fanout: Fanout<S>, ports: CredentialPorts) {
    this.#fanout = fanout;
    this.#ports = ports;
  }

  /** The socket is new, or has another credential. */
  watch(socket: S): void {
    const due = this.#see(socket);
    const alarmAt = this.#ports.alarmAt();
    if (due !== null && (alarmAt === null || due < alarmAt)) this.#ports.setAlarm(due);
  }

  /** The alarm rang, or the object woke: does what is due, and sets the alarm for the rest. */
  check(): void {
    let earliest = Number.POSITIVE_INFINITY;
    this.#fanout.each((socket) => {
      earliest = Math.min(earliest, this.#see(socket) ?? earliest);
    });
    if (earliest < Number.POSITIVE_INFINITY) this.#ports.setAlarm(earliest);
    else this.#ports.clearAlarm();
  }

  /** Carries the socket on with the credential of a fresh ticket of the same user. Refused, it is as it was; the ticket is used up all the same. */
  async refresh(socket: S, ticket: string): Promise<Outcome<RefreshResult>> {
    if (this.#refreshing.has(socket)) return { problem: { code: 'rate_limited', detail: 'another refresh is under way', retry_after: 1 } };
    this.#refreshing.add(socket);
    try {
      return await this.#refresh(socket, ticket);
    } finally {
      this.#refreshing.delete(socket);
    }
  }

  async #refresh(socket: S, ticket: string): Promise<Outcome<RefreshResult>> {
    const userId = this.#fanout.record(socket)?.actor.user_id;
    const redeemed = userId === undefined ? { problem: unknown } : await this.#redeem(userId, ticket);
    if ('problem' in redeemed) return redeemed;
    const { actor, next_ticket } = redeemed.ok;
    const problem = this.#ports.refusal(actor);
    if (problem !== null) return { problem };
    this.#fanout.amend(socket, { actor, noticed: false });
    this.watch(socket);
    return { ok: { expires_at: timeOf(actor), next_ticket } };
  }

  async #redeem(userId: string, ticket: string): Promise<Outcome<Redeemed>> {
    try {
      const redeemed = await this.#ports.redeem(userId, ticket);
      return redeemed?.actor.user_id === userId ? { ok: redeemed } : { problem: unknown };
    } catch {
      return { problem: { code: 'unavailable', retry_after: 1 } };
    }
  }

  /** Does what is due for one socket; when something will be due again, or null. */
  #see(socket: S): number | null {
    const record = this.#fanout.record(socket);
    if (record === undefined) return null;
    const { expires_at } = record.actor;
    const now = this.#ports.clock();
    if (expires_at <= now) {
      this.#fanout.close(socket, 4001, 'the credential has expired');
      return null;
    }
    if (record.noticed) return expires_at;
    if (expires_at - NOTICE_MS - GATHER_MS > now) return expires_at - NOTICE_MS;
    this.#notice(socket, record);
    return expires_at;
  }

  #notice(socket: S, { actor }: SocketRecord): void {
    this.#fanout.amend(socket, { noticed: true });
    this.#fanout.say(socket, authExpiringFrame(timeOf(actor)));
  }
}

const unknown: Problem = { code: 'unauthenticated', detail: 'the ticket is unknown, used, expired, or another user\'s' };
const timeOf = ({ expires_at }: Actor): string => new Date(expires_at).toISOString();
