import type { SavedState } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { NoticesRead, ReadResult } from '../../protocol/frames.ts';
import type { InboxNote } from '../../protocol/inbox-events.ts';
import type { InboxMemberChange, InboxTelling, TellAnswer } from '../../protocol/tellings.ts';
import type { Wish } from './presence.ts';
import type { WatchedPresence } from './presence-api.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';

/** What Workers may call on a `UserInbox` by RPC. An inbox that does not know itself yet reads itself from Postgres first. */
export interface InboxApi {
  /** A single-use ticket for this user, valid `TICKET_SECONDS`. It begins with the user's id in hex, so that the Worker finds the inbox again. */
  issueTicket(actor: Actor): Promise<string>;
  /** The same, valid `NEXT_TICKET_SECONDS`, for the socket that follows one this actor is about to have; null where the credential was revoked. */
  issueNextTicket(actor: Actor): Promise<string | null>;
  /** The ticket's actor, once, with the next ticket; null for one that is unknown, used, expired or revoked. */
  redeemTicket(ticket: string): Promise<Redeemed | null>;
  /** Tickets of this credential are void from now on, and its sockets are closed (4001). */
  revokeCredential(credentialId: string): Promise<void>;
  /** Asks all sockets to leave at a random moment within so many milliseconds, and to come back; how many there are. */
  prepareRestart(withinMs: number): Promise<number>;
  /** Moves the read marker of a channel up to `pos`, durably, and to its newest message at most; it never goes down by this, nor by a lower generation than its own. Answers where it stands. */
  read(actor: Actor, channelId: string, pos: number, generation?: number): Promise<Outcome<ReadResult>>;
  /** Moves it back to before the message at `pos`, durably, and its generation on; not by a lower generation than its own. Answers where it stands. */
  markUnread(actor: Actor, channelId: string, pos: number, generation?: number): Promise<Outcome<ReadResult>>;
  /** Marks notices as read up to this event of the inbox, or all there are (null), durably, on all devices. Answers up to where they are. */
  readNotices(actor: Actor, upTo: number | null): Promise<Outcome<NoticesRead>>;
  /** Applies and announces a member change; repeating it, or an older one, does nothing. A channel that is left has no badge any more. */
  applyMemberChange(userId: string, change: InboxMemberChange): Promise<void>;
  /** Tells the user's devices of a change of theirs that Postgres holds; `version` rises with each of one thing, and what is not above the last does nothing. */
  note(userId: string, note: InboxNote, version: number): Promise<void>;
  tell(userId: string, telling: InboxTelling): Promise<TellAnswer>;
  /** The user's list of saved messages has changed, as Postgres committed it. Repeating it, or an older change, does nothing. */
  savedChanged(userId: string, state: SavedState): Promise<void>;
  /** For a room in which somebody looks: what others see of the user, and from then on its changes. Repeating it does no harm. */
  watchPresence(userId: string, channelId: string): Promise<WatchedPresence>;
  /** What the user chose to be seen as, as Postgres committed it; repeating it, or an older choice, does nothing. */
  choosePresence(userId: string, wish: Wish): Promise<Outcome<null>>;
}

/**
 * The upgrade that `fetch` of an inbox takes: the Worker has authenticated the caller, whose inbox this is, and passes it in the header
 * `SOCKET_REQUEST_HEADER` as JSON. Answers 101, or a problem document.
 */
export interface InboxSocketRequest {
  readonly actor: Actor;
  /** For `welcome`. */
  readonly next_ticket?: string | undefined;
  /** The client's cursor, if it has one. */
  readonly since: { readonly epoch: number; readonly seq: number } | null;
}
