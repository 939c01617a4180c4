import type { LogPlace } from '../../db/queries/room-bootstrap.ts';
import type { EventLog, LogEvent } from './event-log.ts';

/**
 * What to do about a Postgres that does not take the log (the drain's answer was not `ok`).
 *
 * - `wait`: nothing now; the drain tries again later.
 * - `take`: it is the same log under an older claim, or at an earlier event that is still retained: claim it and drain from there.
 * - `skip`: Postgres has lost events (it was restored) that this log no longer holds. The log goes on behind the hole in a new epoch, so
 *   that every client reads its state again.
 * - `yield`: Postgres goes on with another log of this object (its storage was restored). What it does not have is kept
 *   aside, and the object starts over from Postgres in a new epoch.
 */
export type Reconciliation =
  | { readonly kind: 'wait' }
  | { readonly kind: 'yield' }
  | { readonly kind: 'take' | 'skip'; readonly epoch: number; readonly fence: number; readonly drainedSeq: number };

export function decide(log: EventLog, place: LogPlace | null): Reconciliation {
  if (place === null) return { kind: 'wait' };
  const { epoch, seq, firstSeq, fence } = log.state;
  if (place.epoch > epoch || place.drained_seq > seq || !sameEvent(log, place)) return { kind: 'yield' };
  const claim = { epoch, fence: Math.max(place.fence, fence) + 1, drainedSeq: place.drained_seq };
  if (place.drained_seq + 1 >= firstSeq) return { kind: 'take', ...claim };
  return { kind: 'skip', ...claim, epoch: epoch + 1, drainedSeq: firstSeq - 1 };
}

/** Whether the event that Postgres drained last is this log's own, as far as both still know it. */
function sameEvent(log: EventLog, { drained_seq, event_id }: LogPlace): boolean {
  const [own] = log.since(drained_seq - 1, 1, 1);
  if (own === undefined || event_id === null) return true;
  const { id } = JSON.parse(own.json) as { id: string };
  return id === event_id;
}

/** Every undrained event, in pages that Postgres takes as one parameter. */
export async function keepForked(log: EventLog, keep: (epoch: number, events: readonly LogEvent[]) => Promise<void>): Promise<void> {
  let after = log.state.drainedSeq;
  for (let page = read(log, after); page.length > 0; page = read(log, after)) {
    await keep(log.state.epoch, page);
    after += page.length;
  }
}

const read = (log: EventLog, after: number): LogEvent[] => log.since(after, 1_000, 4 * 1024 * 1024);
