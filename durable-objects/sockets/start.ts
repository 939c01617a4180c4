import type { Outcome } from '../../protocol/errors.ts';
import { MAX_FRAME_EVENTS } from '../../protocol/limits.ts';
import type { Archive } from '../log/archive.ts';
import type { EventLog } from '../log/event-log.ts';
import { FRAME_BYTES } from './event-frames.ts';

/** Where a new socket begins. */
export interface Start {
  readonly seq: number;
  readonly recovered: boolean;
}

/** What a socket can be served from. */
export interface Served {
  readonly log: EventLog;
  readonly archive: Archive;
  /** Postgres is about to be asked. */
  asking(): void;
}

/** Honest about a resume (G4): all that was missed can be had, or the client is told to begin anew. */
export async function findStart(served: Served, since: { readonly epoch: number; readonly seq: number } | null): Promise<Outcome<Start>> {
  const { log } = served;
  if (since !== null && since.epoch === log.state.epoch && since.seq <= log.state.seq) {
    const kept = await isKept(served, since.seq);
    if (kept === 'unknown') return { problem: { code: 'unavailable', retry_after: 5 } };
    // Meanwhile the log may have gone on in another epoch, behind a hole.
    if (kept === 'whole' && since.epoch === log.state.epoch) return { ok: { seq: since.seq, recovered: true } };
  }
  return { ok: { seq: log.state.drainedSeq, recovered: false } };
}

/** Whether what follows `seq` can be had: from the log itself, or from Postgres, if that can be asked. */
async function isKept({ log, archive, asking }: Served, seq: number): Promise<'whole' | 'lost' | 'unknown'> {
  if (log.retains(seq + 1)) return 'whole';
  asking();
  try {
    const chunk = await archive.readOrThrow(seq, log.state.firstSeq, MAX_FRAME_EVENTS, FRAME_BYTES);
    return chunk === null ? 'lost' : 'whole';
  } catch {
    return 'unknown';
  }
}
