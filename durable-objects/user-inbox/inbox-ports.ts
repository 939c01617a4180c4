import type { Alarms } from '../alarms.ts';
import type { LogDrainPorts } from '../log/log-drain.ts';
import type { MetricsReport } from '../metrics-hub/metrics-api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Actor, Redeemed } from '../sockets/actor-api.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';
import type { InboxAlarm } from './inbox-alarms.ts';
import type { InboxRecord } from './inbox-record.ts';
import type { PresenceNotice } from './presence-api.ts';
import type { PresenceTable } from './presence-table.ts';

export interface InboxPorts<S extends RoomSocket> extends Omit<LogDrainPorts, 'observe' | 'epochChanged' | 'setAlarm' | 'clearAlarm'> {
  readonly alarms: Alarms<InboxAlarm>;
  readonly record: InboxRecord;
  isRevoked(credentialId: string): boolean;
  /** As `InboxApi.redeemTicket`. */
  redeem(ticket: string): Promise<Redeemed | null>;
  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing(socket: S): number;
  readonly presences: PresenceTable;
  report(report: MetricsReport): void;
  /** As `RoomApi`. Rejects where the room cannot be asked. */
  lastPosOf(channelId: string, actor: Actor): Promise<Outcome<number>>;
  /** Tells a room; false: nobody there looks any more. */
  tellRoom(channelId: string, notice: PresenceNotice): Promise<boolean>;
}
