import type { User } from '../protocol/api.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import type { ReadResult } from '../protocol/frames.ts';
import type { ChannelState } from './channel-window.ts';
import type { Conditions } from './conditions.ts';
import type { Api } from './http.ts';
import type { ConnectionState } from './lifecycle.ts';
import type { OutboxEntry } from './outbox.ts';
import type { Clock, KeyValueStore, OpenSocket, Owner, Random } from './ports.ts';
import type { ChannelPresence } from './presence.ts';
import type { Typist } from './typing.ts';

export interface SessionPorts {
  readonly api: Api;
  readonly openSocket: OpenSocket;
  /** Whether sockets need a ticket: true in browsers, false where `openSocket` sends `Authorization`. */
  readonly tickets: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Where unsent messages outlive the program. */
  readonly store: KeyValueStore;
  /** Where several pages share the store. */
  readonly owner?: Owner;
  readonly conditions?: Conditions;
  readonly newId: () => string;
  /** How read markers get to the server; by a request each where there is no inbox. */
  readonly markRead?: (channelId: string, pos: number, generation: number) => Promise<ReadResult>;
}

export interface SessionListener {
  stateChanged(state: ChannelState): void;
  connectionChanged(state: ConnectionState): void;
  outboxChanged(entries: readonly OutboxEntry[]): void;
  /** Live events, each once, in order; none for what a page of history brought. */
  events(events: readonly ChannelEvent[]): void;
  usersSeen(users: readonly User[]): void;
  typingChanged(typists: readonly Typist[]): void;
  presenceChanged(presence: ChannelPresence): void;
  /** What a reset asked to be read again could not be; the windows stay unread. */
  loadFailed(error: unknown): void;
}
