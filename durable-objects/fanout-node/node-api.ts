import type { CloseCode } from '../../protocol/close-codes.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { SocketRequest } from '../channel-room/room-api.ts';
import type { Whose } from '../sockets/whose.ts';
import type { PresenceTelling } from '../channel-room/channel-presence.ts';
import type { TypingChange } from '../channel-room/typing.ts';

/** The name of a channel's nth node, from 1. */
export const nodeName = (channelId: string, node: number): string => `${channelId}:${node}`;

/** The upgrade that `fetch` of a node takes, as JSON in `SOCKET_REQUEST_HEADER`: as a room's, but the room has placed the socket here. */
export interface NodeSocketRequest extends SocketRequest {
  readonly node: number;
}

/**
 * Events of the room's log, in order and without gaps, that begin behind `after`; none, where the node is only to know where the log stands. `head` is
 * the room's newest event at that moment.
 */
export interface Batch {
  readonly epoch: number;
  readonly after: number;
  readonly events: readonly LogEvent[];
  readonly head: number;
}

/** What a node says to a batch. `sockets` it has, those that are joining included. `pause`: the next batch need not come sooner, in milliseconds. */
export interface BatchAnswer {
  readonly sockets: number;
  readonly pause: number;
}

/** What is told besides events, and lost with the node's instance: `typing` and `presence` to those that do not lag, a `frame` to all. `sweep`: close dead connections, and say who is there. */
export type Telling = { readonly typing: TypingChange } | { readonly presence: PresenceTelling } | { readonly frame: string } | { readonly sweep: true };

/** What a room calls on a `FanoutNode` by RPC. All of it may be repeated. A node may not know itself yet, so each call says which it is. */
export interface NodeApi {
  publish(channelId: string, node: number, batch: Batch): Promise<BatchAnswer>;
  tell(channelId: string, node: number, telling: Telling): Promise<void>;
  /** Closes these sockets, and refuses those that the room admitted before and that are still on their way. */
  closeWhere(channelId: string, node: number, whose: Whose, code: CloseCode, reason: string): Promise<void>;
}
