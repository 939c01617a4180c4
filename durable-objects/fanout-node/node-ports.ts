import type { Outcome } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import type { Alarms } from '../alarms.ts';
import type { ActorCommand, Admission, LogHead, SocketRequest } from '../channel-room/room-api.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import type { OlderEvents } from '../sockets/fanout-log.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';

/** The room of a node, by RPC. Every method rejects when it cannot be reached. */
export interface NodeRoom {
  admit(request: SocketRequest): Promise<Outcome<Admission>>;
  head(): Promise<LogHead>;
  eventsBetween(epoch: number, ...range: Parameters<OlderEvents['read']>): ReturnType<OlderEvents['read']>;
  execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>>;
  executeEach(commands: readonly ActorCommand[]): Promise<readonly (Outcome<CommandResult> | null)[]>;
  redeem(userId: string, ticket: string): Promise<Redeemed | null>;
  typed(actor: Actor, threadId: string | null): Promise<void>;
  look(): Promise<void>;
  roster(users: Float64Array): Promise<void>;
}

/** What its alarm is for: credentials that end, and what an instance has not come to the end of. */
export const NODE_ALARMS = ['auth', 'net'] as const;
export type NodeAlarm = (typeof NODE_ALARMS)[number];

export interface NodePorts<S extends RoomSocket> {
  /** By which its metrics are known. */
  readonly name: string;
  readonly room: NodeRoom;
  /** Past it the node refuses: the room has placed too many, which it may while it does not know how many there are. */
  readonly maxSockets: number;
  readonly alarms: Alarms<NodeAlarm>;
  clock(): number;
  schedule(ms: number, task: () => void): void;
  report(report: MetricsReport): void;
  /** As of a room. */
  lastPing(socket: S): number;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}
