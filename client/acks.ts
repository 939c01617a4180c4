const ACK_EVERY_EVENTS = 200;
/** Of the server's byte window. The server counts bytes and this counts UTF-16 units, of which one has three bytes at most: so much is never half the window. */
const ACK_EVERY_WINDOW_SHARE = 1 / 8;

export interface AckWindow {
  readonly window_bytes: number;
}

/**
 * Tells the server how far a socket has read, no sooner than the server needs it: when 200 events or an eighth of its window have gathered, or while
 * catching up, where it waits for each. No clock drives it: an ack that gives nobody credit costs, and may wake a room that sleeps.
 */
export class Acks {
  readonly #atBytes: number;
  readonly #send: (seq: number) => void;
  #acked: number;
  #bytes = 0;

  constructor(from: number, window: AckWindow, send: (seq: number) => void) {
    this.#acked = from;
    this.#atBytes = window.window_bytes * ACK_EVERY_WINDOW_SHARE;
    this.#send = send;
  }

  received(seq: number, bytes: number, catchingUp: boolean): void {
    this.#bytes += bytes;
    if (!catchingUp && seq - this.#acked < ACK_EVERY_EVENTS && this.#bytes < this.#atBytes) return;
    this.#acked = seq;
    this.#bytes = 0;
    this.#send(seq);
  }
}
