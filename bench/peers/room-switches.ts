import type { LogEvent } from '../../durable-objects/log/event-log.ts';
import { Fanout } from '../../durable-objects/sockets/fanout.ts';
import type { RoomSocket } from '../../durable-objects/sockets/socket-record.ts';
import { Pace } from '../../durable-objects/sockets/pace.ts';

/**
 * How the rooms of a bench send, all of them at once: as they are; without a pause, so that what one commit brings goes out together; or without
 * any coalescing, a frame a message as soon as it is committed.
 */
export const PACES = ['coalesced', 'unpaused', 'frame_a_message'] as const;
export type PaceName = (typeof PACES)[number];

let pace: PaceName = 'coalesced';
const { publish } = Fanout.prototype;
const { pauseAfter } = Pace.prototype;

export function installPaceSwitch(): void {
  Pace.prototype.pauseAfter = function (this: Pace, deliveries: number, now: number): number {
    const ms = pauseAfter.call(this, deliveries, now);
    return pace === 'coalesced' ? ms : 0;
  };
  Fanout.prototype.publish = function (this: Fanout<RoomSocket>, events: readonly LogEvent[]): void {
    if (pace !== 'frame_a_message') return publish.call(this, events);
    for (const event of events) publish.call(this, [event]);
  };
}

/** False: there is no such pace. */
export function setPace(name: string): boolean {
  const found = PACES.find((known) => known === name);
  pace = found ?? pace;
  return found !== undefined;
}
