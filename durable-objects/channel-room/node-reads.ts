import { MAX_FRAME_EVENTS } from '../../protocol/limits.ts';
import type { ArchivedChunk } from '../log/archive.ts';
import { FRAME_BYTES } from '../sockets/event-frames.ts';
import type { Served } from '../sockets/start.ts';

/** As `RoomOfNodes.eventsBetween`. */
export async function readForNode(
  { log, archive, asking }: Served, epoch: number, after: number, before: number, maxEvents: number, maxBytes: number,
): Promise<ArchivedChunk | null> {
  const [events, bytes] = [Math.min(maxEvents, before - 1 - after, MAX_FRAME_EVENTS), Math.min(maxBytes, FRAME_BYTES)];
  if (epoch !== log.state.epoch || events < 1) return null;
  if (!log.retains(after + 1)) {
    asking();
    return await archive.read(after, Math.min(before, log.state.firstSeq), events, bytes);
  }
  const found = log.since(after, events, bytes);
  return found.length === 0 ? null : { to: after + found.length, events: found };
}
