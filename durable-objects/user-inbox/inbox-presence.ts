import type { CloseCode } from '../../protocol/close-codes.ts';
import type { PresenceEvent } from '../../protocol/presence.ts';
import type { Alarms } from '../alarms.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { Activity, RoomSocket, SocketRecord } from '../sockets/socket-record.ts';
import type { InboxAlarm } from './inbox-alarms.ts';
import { type Lease, LEASE_MS, leaseUntil, longer, NO_LEASE, type Wish } from './presence.ts';
import type { DeliveryPorts } from './presence-delivery.ts';
import type { PresenceTable } from './presence-table.ts';
import { type PresencePorts, UserPresence } from './user-presence.ts';

export interface InboxPresencePorts<S extends RoomSocket> extends DeliveryPorts, Pick<PresencePorts, 'transition'> {
  readonly presences: PresenceTable;
  readonly alarms: Alarms<InboxAlarm>;
  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing(socket: S): number;
  log(event: PresenceEvent): Promise<void>;
}

/** A user's presence as the sockets of their inbox make it. */
export class InboxPresence<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #ports: InboxPresencePorts<S>;
  readonly #presence: UserPresence;

  constructor(userId: string, fanout: Fanout<S>, ports: InboxPresencePorts<S>) {
    this.#fanout = fanout;
    this.#ports = ports;
    this.#presence = new UserPresence(userId, ports.presences, { ...ports, lease: () => this.#lease(), setAlarm: (at) => this.#setAlarm(at) });
  }

  get wish(): Wish {
    return this.#presence.wish;
  }

  /** What a socket begins with. */
  begin(): Activity {
    return { idle: false, at: this.#ports.clock() };
  }

  /** The sockets of an earlier instance are taken over. */
  resume(): void {
    this.#presence.resume();
  }

  /** A socket has come, or the alarm rang. */
  update(): void {
    this.#presence.update();
  }

  heard(socket: S, state: 'active' | 'idle'): void {
    this.#fanout.amend(socket, { activity: { idle: state === 'idle', at: this.#ports.clock() } });
    this.#presence.update();
  }

  choose(wish: Wish): void {
    this.#presence.choose(wish);
  }

  /** A socket is gone. One that was closed for its silence has no lease left; the client of any other may come back at once. */
  left(record: SocketRecord | undefined, code?: CloseCode): void {
    const activity = record?.activity ?? null;
    if (activity !== null && code !== 1001) this.#presence.closed(activity.idle);
    else this.#presence.update();
  }

  /** What the open sockets vouch for. The record alone outlives hibernation, so it is what counts, beside the platform's own pings. */
  #lease(): Lease {
    let lease = NO_LEASE;
    this.#fanout.each((socket) => {
      const activity = this.#fanout.record(socket)?.activity ?? null;
      if (activity !== null) lease = longer(lease, leaseUntil(Math.max(activity.at, this.#ports.lastPing(socket)) + LEASE_MS, activity.idle));
    });
    return lease;
  }

  /** An alarm that rings too early looks again, and costs less than to move it at every turn. */
  #setAlarm(at: number | null): void {
    const { alarms } = this.#ports;
    const set = alarms.at('presence');
    if (at === null) alarms.clear('presence');
    else if (set === null || at < set) alarms.set('presence', at);
  }
}
