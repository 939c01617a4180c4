import type { Actor } from '../sockets/actor-api.ts';

/** What Workers may call on a `UserInbox` by RPC. */
export interface InboxApi {
  /** A single-use ticket for this user, valid `TICKET_SECONDS`. It begins with the user's id in hex, so that the Worker finds the inbox again. */
  issueTicket(actor: Actor): Promise<string>;
  /** The ticket's actor, once; null for one that is unknown, used, expired or revoked. */
  redeemTicket(ticket: string): Promise<Actor | null>;
  /** Tickets of this credential are void from now on. */
  revokeCredential(credentialId: string): Promise<void>;
}
