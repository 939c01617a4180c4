import type { Message } from '../protocol/api.ts';
import type { ChannelDetails, ChannelEvent } from '../protocol/events.ts';
import type { Cursor } from './connection.ts';

/** A message with the event it is current as of: what happened up to `asOf` is in it already, be it told again. */
export interface Held {
  readonly message: Message;
  readonly asOf: number;
}

/** A stretch of history without holes, in order. The cursors lead on from its ends. */
export interface MessageWindow {
  readonly ids: readonly string[];
  readonly before: string | null;
  /** Null: it reaches the present, and what is created after `asOf` joins it. */
  readonly after: string | null;
  readonly asOf: number;
}

/**
 * What is known of a channel: the stretches that were read, kept current by events. Old state + events = fresh state: it equals what
 * reading the same stretches now would give, whatever snapshot they were read from.
 */
export interface ChannelState extends Cursor {
  readonly channelId: string;
  /** What the channel is called and about, at the newest version that was heard of. */
  readonly details: ChannelDetails;
  /** The events of `(tailFrom, seq]`, as far as they are kept. */
  readonly tail: readonly ChannelEvent[];
  readonly tailFrom: number;
  readonly messages: ReadonlyMap<string, Held>;
  /** Null until a page was read. */
  readonly history: MessageWindow | null;
  /** By the id of the root. */
  readonly threads: ReadonlyMap<string, MessageWindow>;
  readonly lastPos: number;
  readonly readPos: number;
  /** Of the read marker; as `ReadPlace`. */
  readonly readGeneration: number;
}

export function windowOf(state: ChannelState, rootId: string | null): MessageWindow | null {
  return rootId === null ? state.history : (state.threads.get(rootId) ?? null);
}
