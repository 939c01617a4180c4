import type { InboxNotice } from '../../protocol/tellings.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { RoomSocket, SocketRecord } from '../sockets/socket-record.ts';
import { LEASE_MS } from './presence.ts';

type Place = Pick<InboxNotice, 'channel_id' | 'thread_id'>;

export interface ViewingPorts<S> {
  clock(): number;
  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing(socket: S): number;
}

/**
 * Whether one of the sockets has the place of a message before its user's eyes: as it last said, if the user is active there, and as long as it vouches for
 * them, as for presence. A page that is hidden says so; a device that dies without a word is believed for one lease more.
 */
export function isInView<S extends RoomSocket>(fanout: Fanout<S>, ports: ViewingPorts<S>, place: Place): boolean {
  let inView = false;
  fanout.each((socket) => {
    const record = fanout.record(socket);
    if (record !== undefined && shows(record, place)) inView ||= vouchedAt(record, ports.lastPing(socket)) + LEASE_MS > ports.clock();
  });
  return inView;
}

/** A message of the channel is seen there, a reply only in its thread. */
const shows = ({ viewing, activity }: SocketRecord, { channel_id, thread_id }: Place): boolean =>
  viewing !== null && activity?.idle !== true && viewing.channel_id === channel_id && (thread_id === null || viewing.thread_id === thread_id);

const vouchedAt = ({ activity, viewing }: SocketRecord, lastPing: number): number => Math.max(activity?.at ?? 0, viewing?.at ?? 0, lastPing);
