import type { Clock } from './ports.ts';

const ACK_EVERY_MS = 200;
const ACK_EVERY_EVENTS = 200;

export interface AckWindow {
  readonly window_events: number;
  readonly window_bytes: number;
}

/**
 * Tells the server how far a socket has read, at a low rate: every 200 ms, or at once when 200 events or a quarter of the server's
 * window have gathered, or while catching up, where the server waits for it.
 */
export class Acks {
  readonly #window: AckWindow;
  readonly #clock: Clock;
  readonly #send: (seq: number) => void;
  #acked: number;
  #seq: number;
  #bytes = 0;
  #cancel: (() => void) | null = null;

  constructor(from: number, window: AckWindow, clock: Clock, send: (seq: number) => void) {
    this.#acked = from;
    this.#seq = from;
    this.#window = window;
    this.#clock = clock;
    this.#send = send;
  }

  received(seq: number, bytes: number, catchingUp: boolean): void {
    this.#seq = seq;
    this.#bytes += bytes;
    if (catchingUp || this.#isFull()) this.#flush();
    else this.#cancel ??= this.#clock.after(ACK_EVERY_MS, () => this.#flush());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #isFull(): boolean {
    const events = this.#seq - this.#acked;
    return events >= Math.min(ACK_EVERY_EVENTS, this.#window.window_events / 4) || this.#bytes >= this.#window.window_bytes / 4;
  }

  #flush(): void {
    this.stop();
    this.#acked = this.#seq;
    this.#bytes = 0;
    this.#send(this.#seq);
  }
}
