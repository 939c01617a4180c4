import type { LogEvent } from '../log/event-log.ts';
import type { FanoutLog } from '../sockets/fanout-log.ts';

/** What a ring keeps: the newest events up to both. Trimmed in steps, so that one batch rarely pays for it. */
const RING_EVENTS = 5_000;
const RING_BYTES = 4 * 1024 * 1024;
const TRIM_EVENTS = 1_000;

/** The newest events of a channel, in memory and without gaps. What is older than `state.firstSeq` is the room's. Epoch 0: it is not known where the log stands. */
export class Ring implements FanoutLog {
  #epoch = 0;
  #events: LogEvent[] = [];
  #bytes = 0;
  #seq = 0;

  get state(): FanoutLog['state'] {
    return { epoch: this.#epoch, seq: this.#seq, firstSeq: this.#firstSeq };
  }

  get #firstSeq(): number {
    return this.#seq - this.#events.length + 1;
  }

  /** Takes what follows its newest event, and returns that; what it has already is passed over. */
  append(events: readonly LogEvent[]): readonly LogEvent[] {
    const fresh = events.filter(({ seq }) => seq > this.#seq);
    const [first] = fresh;
    if (first === undefined) return fresh;
    if (first.seq !== this.#seq + 1) throw new Error(`event ${first.seq} does not follow ${this.#seq}`);
    this.#events.push(...fresh);
    this.#seq += fresh.length;
    this.#bytes += sizeOf(fresh);
    this.#trim();
    return fresh;
  }

  /** Begins, or goes on, behind `seq`, without what is before it. */
  skipTo(epoch: number, seq: number): void {
    [this.#events, this.#bytes, this.#epoch, this.#seq] = [[], 0, epoch, seq];
  }

  retains(seq: number): boolean {
    return seq >= this.#firstSeq;
  }

  since(seq: number, maxEvents: number, maxBytes: number): readonly LogEvent[] {
    if (!this.retains(seq + 1)) return [];
    const start = seq + 1 - this.#firstSeq;
    let end = start;
    for (let bytes = 0; end < this.#events.length && end - start < maxEvents && bytes < maxBytes; end++) bytes += this.#events[end]?.bytes ?? 0;
    return this.#events.slice(start, end);
  }

  #trim(): void {
    if (this.#events.length < RING_EVENTS + TRIM_EVENTS && this.#bytes < 2 * RING_BYTES) return;
    let drop = Math.max(0, this.#events.length - RING_EVENTS);
    let bytes = this.#bytes - sizeOf(this.#events.slice(0, drop));
    for (; bytes > RING_BYTES && drop < this.#events.length; drop++) bytes -= this.#events[drop]?.bytes ?? 0;
    [this.#events, this.#bytes] = [this.#events.slice(drop), bytes];
  }
}

const sizeOf = (events: readonly LogEvent[]): number => events.reduce((bytes, event) => bytes + event.bytes, 0);
