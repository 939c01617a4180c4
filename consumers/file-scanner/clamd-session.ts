import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { MAX_REPLY_BYTES } from './clamd-protocol.ts';
import { ClamdAway } from './failures.ts';

export interface ClamdAddress {
  readonly host: string;
  readonly port: number;
}

/** One connection to clamd: bytes out, one reply in. */
export class ClamdSession {
  readonly #socket: Socket;
  readonly #reply: Promise<string>;
  #isOver = false;

  /** @throws ClamdAway, or the reason of `signal`, which also ends the session later on. */
  static async open({ host, port }: ClamdAddress, timeoutMs: number, signal: AbortSignal): Promise<ClamdSession> {
    signal.throwIfAborted();
    const socket = connect({ host, port, noDelay: true });
    const session = new ClamdSession(socket, signal);
    const connected = new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    try {
      await inTime(Promise.race([connected, session.#reply]), timeoutMs, () => new ClamdAway('clamd does not take the connection'));
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return session;
  }

  private constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#reply = this.#receive(signal).finally(() => (this.#isOver = true));
    this.#reply.catch(() => {});
  }

  /** Whether there is a reply, or will be none. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves with the reply, whenever it comes. */
  answered(): Promise<string> {
    return this.#reply;
  }

  /** The reply, without its NUL. @throws ClamdAway, or what `late` makes where it takes longer. */
  reply(timeoutMs: number, late: () => Error): Promise<string> {
    return inTime(this.#reply, timeoutMs, late);
  }

  /** Sends them together. Resolves when clamd has taken so much that more may be sent, or the session is over. @throws ClamdAway where it takes nothing for too long. */
  async send(parts: readonly Uint8Array[], timeoutMs: number): Promise<void> {
    if (this.#isOver || this.#write(parts)) return;
    const over = new AbortController();
    // A connection that breaks is the reply's to tell.
    const drained = once(this.#socket, 'drain', { signal: over.signal }).catch(() => this.#settled());
    await inTime(Promise.race([drained, this.#settled()]), timeoutMs, () => new ClamdAway('clamd takes no bytes')).finally(() => over.abort());
  }

  /** False: no more should be sent before the socket has drained. */
  #write(parts: readonly Uint8Array[]): boolean {
    this.#socket.cork();
    for (const bytes of parts) this.#socket.write(bytes);
    this.#socket.uncork();
    return !this.#socket.writableNeedDrain;
  }

  async #settled(): Promise<void> {
    await this.#reply.catch(() => {});
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(signal: AbortSignal): Promise<string> {
    const socket = this.#socket;
    return new Promise<string>((resolve, reject) => {
      const abort = (): void => {
        reject(signal.reason);
        socket.destroy();
      };
      signal.addEventListener('abort', abort, { once: true });
      let text = '';
      socket.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
        const end = text.indexOf('\0');
        if (end >= 0) resolve(text.slice(0, end));
        else if (text.length > MAX_REPLY_BYTES) reject(new ClamdAway('what answers is no clamd'));
      });
      socket.on('error', (cause) => reject(new ClamdAway('the connection to clamd broke', { cause })));
      socket.once('close', () => {
        signal.removeEventListener('abort', abort);
        reject(new ClamdAway('clamd closed without an answer'));
      });
    });
  }
}

async function inTime<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  return Promise.race([work, expiry]).finally(() => clearTimeout(timer));
}
