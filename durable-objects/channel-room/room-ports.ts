import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import type { Redeemed } from '../sockets/actor-api.ts';
import type { SocketLimits } from '../sockets/socket-limits.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';
import type { AwarenessPorts } from './awareness.ts';
import type { NodeStub } from './node-link.ts';
import type { NodeTable } from './node-table.ts';
import type { RoomDrainPorts } from './room-drain.ts';

export interface RoomPorts<S extends RoomSocket> extends Omit<RoomDrainPorts, 'epochChanged'>, Omit<AwarenessPorts, 'sweepLater' | 'count'> {
  readonly nodes: NodeTable;
  node(node: number): NodeStub;
  readonly limits: SocketLimits;
  report(report: MetricsReport): void;
  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing(socket: S): number;
  /** As `InboxApi.redeemTicket` of this user. */
  redeem(userId: string, ticket: string): Promise<Redeemed | null>;
}
