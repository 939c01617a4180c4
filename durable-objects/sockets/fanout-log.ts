import type { ArchivedChunk } from '../log/archive.ts';
import type { LogEvent } from '../log/event-log.ts';

/** The newest events of a log, as they are at hand: the log itself, or a part of it that is kept elsewhere. Events before `firstSeq` are older. */
export interface FanoutLog {
  readonly state: { readonly epoch: number; readonly seq: number; readonly firstSeq: number };
  retains(seq: number): boolean;
  /** As `EventLog.since`. */
  since(seq: number, maxEvents: number, maxBytes: number): readonly LogEvent[];
}

/** The events that are not at hand. */
export interface OlderEvents {
  /** As `Archive.read`. */
  read(after: number, before: number, maxEvents: number, maxBytes: number): Promise<ArchivedChunk | null>;
}
