import { DurableObject } from 'cloudflare:workers';
import { TICKET_SECONDS } from '../../protocol/limits.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { durableSql } from '../log/durable-sql.ts';
import type { InboxApi } from './inbox-api.ts';
import { Tickets } from './tickets.ts';

const SECRET_BYTES = 32;

/** The object of one user. */
export class UserInbox extends DurableObject<Env> implements InboxApi {
  readonly #tickets: Tickets;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#tickets = new Tickets(durableSql({ storage: ctx.storage, abort: (reason) => ctx.abort(reason) }));
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
  }
}

/** Letters, digits, `-` and `_` only: a WebSocket subprotocol takes no others. */
const base64url = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

async function sha256(text: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}
