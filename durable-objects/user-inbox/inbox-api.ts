import type { Outcome } from '../../protocol/errors.ts';
import type { MemberRole } from '../../protocol/events.ts';
import type { ReadResult } from '../../protocol/frames.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import type { Actor } from '../sockets/actor-api.ts';

/** A change of one of the user's memberships, as Postgres committed it. `role` null: left. `version` is `channels.members_version`. */
export interface InboxMemberChange {
  readonly event_id: string;
  readonly channel_id: string;
  readonly actor_id: string;
  readonly role: MemberRole | null;
  readonly version: number;
}

/** A message that is meant for the user, a member in this role; `event_id` and `channel_seq` are those of the event that brought it. */
export interface InboxNotice extends Omit<Extract<InboxEvent, { type: 'message.notified' }>, 'seq' | 'id' | 'at' | 'type'> {
  readonly event_id: string;
  readonly role: MemberRole;
  readonly version: number;
}

/** What a channel has for the user, as counted in Postgres in one snapshot; see `CountedBadge`. */
export interface InboxBadge {
  readonly channel_id: string;
  readonly role: MemberRole;
  readonly version: number;
  readonly epoch: number;
  readonly as_of_seq: number;
  readonly last_pos: number;
  readonly read_pos: number;
  readonly unread: number;
  readonly mentions: number;
}

/** What an inbox is told at once, in the order of its effect. All of it may be repeated, or come late, without harm. */
export interface InboxTelling {
  readonly changes: readonly InboxMemberChange[];
  readonly notices: readonly InboxNotice[];
  readonly badges: readonly InboxBadge[];
}

/**
 * `told`: it is kept. `asleep`: it is, but nobody has listened for a while, so badges need not be told any more, unless it has woken since
 * this version. `backlogged`: nothing is kept; tell it later. `unknown`: there is no such user.
 */
export type TellAnswer =
  | { readonly status: 'told' | 'backlogged' | 'unknown' | 'unavailable' }
  | { readonly status: 'asleep'; readonly awake_version: number };

/** What Workers may call on a `UserInbox` by RPC. An inbox that does not know itself yet reads itself from Postgres first. */
export interface InboxApi {
  /** A single-use ticket for this user, valid `TICKET_SECONDS`. It begins with the user's id in hex, so that the Worker finds the inbox again. */
  issueTicket(actor: Actor): Promise<string>;
  /** The ticket's actor, once; null for one that is unknown, used, expired or revoked. */
  redeemTicket(ticket: string): Promise<Actor | null>;
  /** Tickets of this credential are void from now on, and its sockets are closed (4001). */
  revokeCredential(credentialId: string): Promise<void>;
  /** Moves the read marker of a channel up to `pos`, durably; it never goes down. Answers where it stands. */
  read(actor: Actor, channelId: string, pos: number): Promise<Outcome<ReadResult>>;
  /** Applies and announces a member change; repeating it, or an older one, does nothing. A channel that is left has no badge any more. */
  applyMemberChange(userId: string, change: InboxMemberChange): Promise<void>;
  tell(userId: string, telling: InboxTelling): Promise<TellAnswer>;
}

/**
 * The upgrade that `fetch` of an inbox takes: the Worker has authenticated the caller, whose inbox this is, and passes it in the header
 * `SOCKET_REQUEST_HEADER` as JSON. Answers 101, or a problem document.
 */
export interface InboxSocketRequest {
  readonly actor: Actor;
  /** The client's cursor, if it has one. */
  readonly since: { readonly epoch: number; readonly seq: number } | null;
}
