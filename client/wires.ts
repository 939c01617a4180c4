import type { ChannelEvent } from '../protocol/events.ts';
import type { ClientFrame, Command, CommandResult, InboxClientFrame, InboxServerFrame, ReadResult, ServerFrame } from '../protocol/frames.ts';
import type { InboxEvent } from '../protocol/inbox-events.ts';
import type { ProblemDocument } from '../protocol/errors.ts';

/** What two ends say over a connection: its kinds of frames beside those that all connections share. */
export interface Wire {
  readonly event: { readonly seq: number };
  /** Client to server, with a result each; the connection gives them their ids. */
  readonly command: { readonly type: string };
  readonly result: object;
  /** Client to server, unanswered, and of no use later. */
  readonly notice: { readonly type: string };
  /** Server to client, outside the log: the newest counts. */
  readonly state: { readonly type: string };
}

type Of<F extends { type: string }, T extends F['type']> = Extract<F, { type: T }>;
type SentOf<C> = C extends { type: 'send' } ? Omit<C, 'origin'> : C;

export interface RoomWire extends Wire {
  readonly event: ChannelEvent;
  readonly command: SentOf<Command>;
  readonly result: CommandResult;
  readonly notice: Of<ClientFrame, 'typing' | 'watch'>;
  readonly state: Of<ServerFrame, 'typing' | 'presence'>;
}

export interface InboxWire extends Wire {
  readonly event: InboxEvent;
  readonly command: Omit<Of<InboxClientFrame, 'read'>, 'id'> | Omit<Of<InboxClientFrame, 'mark_unread'>, 'id'>;
  readonly result: ReadResult;
  readonly notice: Of<InboxClientFrame, 'activity' | 'viewing'>;
  readonly state: Of<InboxServerFrame, 'badges'>;
}

export type WelcomeFrame = Of<ServerFrame, 'welcome'>;
export interface EventsFrame<W extends Wire> {
  readonly type: 'events';
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly events: readonly W['event'][];
}
export interface ResultFrame<W extends Wire> {
  readonly type: 'result';
  readonly re: string;
  readonly ok?: W['result'] | undefined;
  readonly problem?: ProblemDocument | undefined;
}
export type SharedFrame<W extends Wire> =
  | WelcomeFrame
  | EventsFrame<W>
  | ResultFrame<W>
  | Of<ServerFrame, 'problem' | 'auth.expiring' | 'reconnect'>;

const SHARED: ReadonlySet<string> = new Set<SharedFrame<Wire>['type']>(['welcome', 'events', 'result', 'problem', 'auth.expiring', 'reconnect']);

export function isShared<W extends Wire>(frame: SharedFrame<W> | W['state']): frame is SharedFrame<W> {
  return SHARED.has(frame.type);
}
