import type { LogEvent } from './event-log.ts';
import { SharedReads } from './shared-reads.ts';

export interface ArchivedEvent {
  readonly seq: number;
  readonly json: string;
}

/** The part of a channel's log that is in Postgres. */
export interface ArchivePorts {
  /** Stored events between the two, both exclusive, in `seq` order, at most `limit`. */
  eventsBetween(after: number, before: number, limit: number): Promise<readonly ArchivedEvent[]>;
  /** The numbers of events in the same range that Postgres could not take, and that are dead letters instead. */
  poisonBetween(after: number, before: number): Promise<readonly number[]>;
  failed(error: unknown): void;
}

/** `to`: what these events cover. Poison is left out, as it is in history. */
export interface ArchivedChunk {
  readonly to: number;
  readonly events: readonly LogEvent[];
}

type Range = [after: number, before: number, maxEvents: number, maxBytes: number];

/** Rows of one query, so that a chunk's memory is bounded. */
const ROWS = 200;
const encoder = new TextEncoder();

/** Reads events that the room's own tail no longer holds. Whole or not at all (G4). */
export class Archive {
  readonly #ports: ArchivePorts;
  readonly #reads = new SharedReads((...range: Range) => this.#read(...range));

  constructor(ports: ArchivePorts) {
    this.#ports = ports;
  }

  /** The events after `after` and below `before`, of at most the given count and size. Null: not whole, or Postgres is away. */
  async read(...range: Range): Promise<ArchivedChunk | null> {
    try {
      return await this.readOrThrow(...range);
    } catch (error) {
      this.#ports.failed(error);
      return null;
    }
  }

  /** As `read`; null only where the events are not whole: their retention has ended. */
  readOrThrow(...range: Range): Promise<ArchivedChunk | null> {
    return this.#reads.read(...range);
  }

  async #read(...[after, before, maxEvents, maxBytes]: Range): Promise<ArchivedChunk | null> {
    const limit = Math.min(ROWS, maxEvents);
    const rows = await this.#ports.eventsBetween(after, Math.min(before, after + 1 + maxEvents), limit);
    const events = withinBytes(rows, maxBytes);
    const cut = events.length < rows.length || rows.length === limit;
    const to = cut ? (events.at(-1)?.seq ?? after) : Math.min(before - 1, after + maxEvents);
    if (events.length === to - after) return { to, events };
    const poison = new Set(await this.#ports.poisonBetween(after, to + 1));
    const stored = new Set(events.map((event) => event.seq));
    for (let seq = after + 1; seq <= to; seq++) if (!stored.has(seq) && !poison.has(seq)) return null;
    return { to, events };
  }
}

function withinBytes(rows: readonly ArchivedEvent[], maxBytes: number): LogEvent[] {
  const events: LogEvent[] = [];
  let total = 0;
  for (const { seq, json } of rows) {
    const bytes = encoder.encode(json).length;
    total += bytes;
    if (events.length > 0 && total > maxBytes) break;
    events.push({ seq, json, bytes });
  }
  return events;
}
