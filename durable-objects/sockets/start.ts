import type { Archive } from '../log/archive.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { MAX_FRAME_EVENTS } from '../../protocol/limits.ts';
import { FRAME_BYTES } from './fanout.ts';

/** Where a new socket begins. */
export interface Start {
  readonly seq: number;
  readonly recovered: boolean;
}

/** Honest about a resume (G4): all that was missed can be had, from the log itself or from Postgres, or the client is told to begin anew. */
export async function findStart(log: EventLog, archive: Archive, since: { readonly epoch: number; readonly seq: number } | null): Promise<Outcome<Start>> {
  const { epoch, seq } = log.state;
  if (since !== null && since.epoch === epoch && since.seq <= seq) {
    const kept = await isKept(log, archive, since.seq);
    if (kept === 'unknown') return { problem: { code: 'unavailable', retry_after: 5 } };
    if (kept === 'whole') return { ok: { seq: since.seq, recovered: true } };
  }
  return { ok: { seq: log.state.drainedSeq, recovered: false } };
}

async function isKept(log: EventLog, archive: Archive, seq: number): Promise<'whole' | 'lost' | 'unknown'> {
  if (log.retains(seq + 1)) return 'whole';
  try {
    const chunk = await archive.readOrThrow(seq, log.state.firstSeq, MAX_FRAME_EVENTS, FRAME_BYTES);
    return chunk === null ? 'lost' : 'whole';
  } catch {
    return 'unknown';
  }
}
