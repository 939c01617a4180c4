import type { AnnounceAnswer, ChannelStanding, Removal, RoomNews } from '../../protocol/announcements.ts';
import type { MemberRole } from '../../protocol/events.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { RedactAnswer, Redaction } from '../../protocol/redactions.ts';
import type { ArchivedChunk } from '../log/archive.ts';
import type { PresenceNotice } from '../user-inbox/presence-api.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';

/** A command and whose it is. */
export interface ActorCommand {
  readonly actor: Actor;
  readonly command: Command;
}

/** Where a message stands: `pos`, or `thread_id` and `tpos`. */
export interface FoundMessage {
  readonly message_id: string;
  readonly seq: number;
  readonly pos: number | null;
  readonly thread_id: string | null;
  readonly tpos: number | null;
  readonly deleted: boolean;
}

/** A change of the member list, as Postgres committed it. `role` null: no longer a member. `version` is `channels.members_version`. */
export interface MemberChange {
  readonly event_id: string;
  readonly user_id: string;
  readonly actor_id: string;
  readonly role: MemberRole | null;
  readonly version: number;
}

/** `expires_at` in epoch milliseconds: from then on it is refused for its age. */
export interface RevokedCredential {
  readonly credential_id: string;
  readonly expires_at: number;
}

/** Where a room's log stands. */
export interface LogHead {
  readonly epoch: number;
  readonly seq: number;
}

/** A socket that the room admits: it begins at `seq`, and `head` is the newest event at that moment. `recovered` as in `welcome`. */
export interface Admission {
  readonly session: string;
  readonly epoch: number;
  readonly seq: number;
  readonly head: number;
  readonly recovered: boolean;
}

/** The answer of a room that has too many sockets of its own: the socket is to be opened at that node, an object of this name. */
export interface Placement {
  readonly node: number;
  readonly name: string;
}

/** What the nodes of a room call on it. */
export interface RoomOfNodes {
  /** Whether this socket may join at that node, by what the room knows now, and where it begins. */
  admit(node: number, request: SocketRequest): Promise<Outcome<Admission>>;
  head(channelId: string): Promise<LogHead>;
  /** As `InboxApi.redeemTicket` of this user; null also where the ticket's actor may not have a socket here. */
  redeem(channelId: string, userId: string, ticket: string): Promise<Redeemed | null>;
  /** The actor types, in the channel or in a thread. */
  typed(channelId: string, actor: Actor, threadId: string | null): Promise<void>;
  /** Who has a socket on that node, by `hash53` of their ids, each once. */
  roster(channelId: string, node: number, users: Float64Array): Promise<void>;
  /** A socket of a node looks who is present: all nodes are told, soon. */
  look(channelId: string): Promise<void>;
  /** As `OlderEvents.read`, and bounded by the largest frame. Null also where the epoch has changed. */
  eventsBetween(channelId: string, epoch: number, after: number, before: number, maxEvents: number, maxBytes: number): Promise<ArchivedChunk | null>;
}

/** What Workers may call on a `ChannelRoom` by RPC. A room that does not know itself yet reads itself from Postgres first. */
export interface RoomApi extends RoomOfNodes {
  /** Commits the command durably before it returns, or says why not. */
  execute(channelId: string, actor: Actor, command: Command): Promise<Outcome<CommandResult>>;
  /**
   * Many in one call: each by itself, in this order. The outcomes are in the order of the commands. Null: not executed, because Postgres has to be asked
   * about the actor, and the others do not wait for that; `execute` does.
   */
  executeEach(channelId: string, commands: readonly ActorCommand[]): Promise<(Outcome<CommandResult> | null)[]>;
  /** All or none, in this order, in one commit. */
  executeBatch(channelId: string, actor: Actor, commands: readonly Command[]): Promise<Outcome<CommandResult[]>>;
  /**
   * The message whose id bears this millisecond and whose `seq` leaves this remainder (`MAX_EVENTS_PER_MS`), drained or not, deleted or not; null: there is none. For
   * who may act here.
   */
  findAt(channelId: string, actor: Actor, ms: number, remainder: number): Promise<Outcome<FoundMessage | null>>;
  /** Where the log stands, for who may act here. */
  headFor(channelId: string, actor: Actor): Promise<Outcome<LogHead>>;
  /** The highest `pos` there is; 0: there is no message. For who may act here. */
  lastPosFor(channelId: string, actor: Actor): Promise<Outcome<number>>;
  /** The id of the message that a user sent under this `client_msg_id`, whoever they are by now; null: there is none. */
  findSent(channelId: string, userId: string, clientMsgId: string): Promise<string | null>;
  /** Applies and announces a member change; repeating it, or an older one, does nothing. Removal closes that user's sockets (4003). */
  applyMemberChange(channelId: string, change: MemberChange): Promise<void>;
  /** Ends the live access of credentials in this room: closes their sockets (4001) and refuses their commands until they expire. */
  revokeCredentials(channelId: string, credentials: readonly RevokedCredential[]): Promise<void>;
  /**
   * Whether the channel is archived, as Postgres committed it: where it is, the room takes nothing new; and what else has changed of it, which is announced.
   * Repeating it, or an older one, does nothing.
   */
  setStanding(channelId: string, standing: ChannelStanding): Promise<void>;
  /** Does again what `applyMemberChange`, `setStanding` and `revokeCredentials` may not have been called for. Rejects as they do. */
  announce(channelId: string, news: RoomNews): Promise<AnnounceAnswer>;
  /** Deletes the next messages of a user, at most 500, durably before it returns. Repeating it goes on where there are any left. */
  redact(redaction: Redaction): Promise<RedactAnswer>;
  /** Removes messages by order of somebody who moderates, durably before it returns. Repeating it does nothing. */
  removeMessages(channelId: string, removals: readonly Removal[]): Promise<Outcome<true>>;
  /** What others see of a member has changed. False: nobody in this room looks, or it is no member; the inbox is to tell it no more. */
  presenceChanged(channelId: string, notice: PresenceNotice): Promise<boolean>;
  /** Asks all sockets to leave at a random moment within so many milliseconds, and to come back; how many there are. */
  prepareRestart(withinMs: number): Promise<number>;
}

/**
 * The upgrade that `fetch` of a room takes: the Worker has authenticated the caller and passes it in this header as JSON of
 * `SocketRequest`. Membership is the room's to check. Answers 101, or 200 with a `Placement`, or a problem document.
 */
export const SOCKET_REQUEST_HEADER = 'colink-socket-request';
export interface SocketRequest {
  readonly channel_id: string;
  readonly actor: Actor;
  /** For `welcome`. */
  readonly next_ticket?: string | undefined;
  /** The client's cursor, if it has one. */
  readonly since: { readonly epoch: number; readonly seq: number } | null;
}
