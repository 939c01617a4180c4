import type { CountedBadge } from '../../db/queries/badges.ts';
import type { ClaimedInbox, FoundInboxChannel, InboxChannelRow } from '../../db/queries/inbox-log.ts';
import type { PresenceEvent } from '../../protocol/presence.ts';
import type { Wish } from './presence.ts';
import type { ArchivePorts } from '../log/archive.ts';
import type { LogStore } from '../log/log-drain.ts';

/** The record behind an inbox: Postgres. Every method rejects when it is away. */
export interface InboxRecord extends LogStore, Omit<ArchivePorts, 'failed'> {
  /** Claims the log and reads the user's channels, in one transaction. Null: no such user. */
  readUser(): Promise<{ readonly claimed: ClaimedInbox; readonly channels: readonly InboxChannelRow[]; readonly wish: Wish } | null>;
  /** The user's place in a channel; null: no such channel. */
  findChannel(channelId: string): Promise<FoundInboxChannel | null>;
  /** Has the inbox told of badges from now on, then counts them all: what is not in the counts will be told. */
  wake(version: number): Promise<readonly CountedBadge[]>;
  /** Appends to `presence.events`. */
  logPresence(event: PresenceEvent): Promise<void>;
  /** Closes what is idle. False: it is in use, or was a moment ago. */
  rest(): boolean;
}
