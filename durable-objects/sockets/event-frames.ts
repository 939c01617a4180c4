import { MAX_FRAME_EVENTS } from '../../protocol/limits.ts';
import type { LogEvent } from '../log/event-log.ts';

/** Bytes of events in one frame; one event may exceed it. */
export const FRAME_BYTES = 256 * 1024;

/** An `events` frame of events encoded before. `from` to `to` is what it covers: an event that could not be stored is missing in it. */
export function eventsFrame(epoch: number, from: number, to: number, events: readonly LogEvent[]): string {
  return `{"type":"events","epoch":${epoch},"from":${from},"to":${to},"events":[${events.map((event) => event.json).join(',')}]}`;
}

export const bytesOf = (events: readonly LogEvent[]): number => events.reduce((bytes, event) => bytes + event.bytes, 0);

/** Cuts events into what one frame takes each. */
export function* frameParts(events: readonly LogEvent[]): Generator<readonly LogEvent[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, event] of events.entries()) {
    if (index > start && (index - start >= MAX_FRAME_EVENTS || bytes + event.bytes > FRAME_BYTES)) {
      yield events.slice(start, index);
      [start, bytes] = [index, 0];
    }
    bytes += event.bytes;
  }
  if (start < events.length) yield events.slice(start);
}
