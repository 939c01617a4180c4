import type { ClaimedLog, FoundMembership, LogMove, LogPlace, MemberRow, MessageIndexRow, PinRow, PreviewRow, ReactionRow } from '../../db/queries/room-bootstrap.ts';
import type { DrainAnswer } from '../log/drain.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { ArchivedEvent } from '../log/archive.ts';

/** An instance's claim on a channel's log, by which Postgres knows the newest. */
export interface LogClaim {
  readonly channelId: string;
  readonly epoch: number;
  readonly fence: number;
}

/** A channel as Postgres has it at one moment, in pages. */
export interface StoredChannel {
  members(): AsyncIterable<readonly MemberRow[]>;
  messages(): AsyncIterable<readonly MessageIndexRow[]>;
  reactions(): AsyncIterable<readonly ReactionRow[]>;
  pins(): AsyncIterable<readonly PinRow[]>;
  previews(): AsyncIterable<readonly PreviewRow[]>;
}

/** The record behind a room: Postgres. Every method rejects when it is away. */
export interface RoomRecord {
  /** Claims the log, hands over the channel as of that claim, and commits. Null, and nothing is read: no such channel. */
  readChannel(channelId: string, read: (channel: StoredChannel) => Promise<void>): Promise<ClaimedLog | null>;
  findMembership(channelId: string, userId: string): Promise<FoundMembership | null>;
  /** How long after it was sent a message may be edited, in seconds; null: for good. */
  findEditWindow(): Promise<number | null>;
  drainBatch(claim: LogClaim, eventsJson: string, tracesJson: string | null): Promise<DrainAnswer>;
  skipPoison(claim: LogClaim, event: LogEvent, error: unknown): Promise<DrainAnswer>;
  isDataFault(error: unknown): boolean;
  eventsBetween(channelId: string, after: number, before: number, limit: number): Promise<readonly ArchivedEvent[]>;
  poisonBetween(channelId: string, after: number, before: number): Promise<readonly number[]>;
  findLogPlace(channelId: string): Promise<LogPlace | null>;
  moveLog(move: LogMove): Promise<boolean>;
  keepForkedEvents(channelId: string, epoch: number, events: readonly LogEvent[]): Promise<void>;
  /** Closes what is idle. False: it is in use, or was a moment ago. */
  rest(): boolean;
}
