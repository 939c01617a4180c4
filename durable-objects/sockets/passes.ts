import { SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';
import type { LogEvent } from '../log/event-log.ts';
import { bytesOf, frameParts } from './event-frames.ts';
import { Pace } from './pace.ts';

/** Half a window: a pass never takes the whole credit of a socket that keeps up. What has gathered so much waits no longer. */
const GATHERED_EVENTS = SOCKET_WINDOW_EVENTS / 2;
const GATHERED_BYTES = SOCKET_WINDOW_BYTES / 2;

export interface PassPorts {
  clock(): number;
  /** Runs `task` once, `ms` later. */
  schedule(ms: number, task: () => void): void;
  sockets(): number;
  /** Sends what fits a frame to the sockets. */
  broadcast(events: readonly LogEvent[]): void;
}

/** When what is appended is sent: at once in a quiet room; in a busy one it gathers during a pause after each pass over the sockets (`Pace`). */
export class Passes {
  readonly #ports: PassPorts;
  readonly #pace = new Pace();
  #published: number;
  #gathered: LogEvent[] = [];
  #gatheredBytes = 0;
  /** When the pause after the last pass ends, in epoch milliseconds; null: there is none. */
  #pausedUntil: number | null = null;

  /** `published`: the log's newest event. */
  constructor(published: number, ports: PassPorts) {
    this.#published = published;
    this.#ports = ports;
  }

  /** The last event of the last pass. What follows it in the log is gathered. */
  get published(): number {
    return this.#published;
  }

  /** How long what is published now is gathered, in milliseconds. */
  get pause(): number {
    return this.#pausedUntil === null ? 0 : Math.max(0, this.#pausedUntil - this.#ports.clock());
  }

  /** Events just committed, in order, the last of which is the head. */
  publish(events: readonly LogEvent[]): void {
    this.#gathered.push(...events);
    this.#gatheredBytes += bytesOf(events);
    if (this.#pausedUntil === null || this.#gathered.length >= GATHERED_EVENTS || this.#gatheredBytes >= GATHERED_BYTES) this.#pass();
  }

  /** What has gathered, and what would have come up to `published`, is sent in no pass. */
  skipTo(published: number): void {
    [this.#gathered, this.#gatheredBytes, this.#published] = [[], 0, published];
  }

  #pass(): void {
    const events = this.#gathered;
    if (events.length === 0) return;
    [this.#gathered, this.#gatheredBytes] = [[], 0];
    for (const part of frameParts(events)) {
      this.#published = part.at(-1)?.seq ?? this.#published;
      this.#ports.broadcast(part);
    }
    this.#pause(events.length * this.#ports.sockets());
  }

  #pause(deliveries: number): void {
    const ms = this.#pace.pauseAfter(deliveries, this.#ports.clock());
    if (ms < 1 || this.#pausedUntil !== null) return;
    this.#pausedUntil = this.#ports.clock() + ms;
    this.#ports.schedule(ms, () => {
      this.#pausedUntil = null;
      this.#pass();
    });
  }
}
