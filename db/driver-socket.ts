/** A TCP connection as streams (WinterTC Sockets API): what `cloudflare:sockets` opens. */
export interface TcpStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  close(): Promise<void>;
}

type Listener = (argument?: unknown) => void;

/**
 * TCP streams as the Postgres driver takes a socket. The driver brings its own for workerd, but that one throws into the void at every
 * close (postgres 3.4.9, 2026-11): an unhandled rejection a burst of queries.
 */
export class DriverSocket {
  readyState: 'open' | 'closed' = 'open';
  readonly #tcp: TcpStreams;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #listeners = new Map<string, Listener[]>();

  /** `toBuffer` makes of received bytes what the driver reads from: Node's `Buffer.from`. */
  constructor(tcp: TcpStreams, toBuffer: (bytes: Uint8Array) => Uint8Array) {
    this.#tcp = tcp;
    this.#writer = tcp.writable.getWriter();
    this.#writer.closed.catch(() => {});
    void this.#read(tcp.readable.getReader(), toBuffer);
  }

  on(event: string, listener: Listener): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return this;
  }

  once(event: string, listener: Listener): this {
    const once: Listener = (argument) => {
      this.removeListener(event, once);
      listener(argument);
    };
    return this.on(event, once);
  }

  removeListener(event: string, listener: Listener): this {
    this.#listeners.set(event, (this.#listeners.get(event) ?? []).filter((other) => other !== listener));
    return this;
  }

  removeAllListeners(): this {
    this.#listeners.clear();
    return this;
  }

  write(bytes: Uint8Array, written?: () => void): boolean {
    this.#writer.write(bytes).then(written, (error: unknown) => this.#end(error));
    return true;
  }

  end(bytes?: Uint8Array): this {
    if (bytes === undefined) this.#end();
    else this.write(bytes, () => this.#end());
    return this;
  }

  destroy(): void {
    this.#end();
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>, toBuffer: (bytes: Uint8Array) => Uint8Array): Promise<void> {
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) this.#emit('data', toBuffer(read.value));
      this.#end();
    } catch (error) {
      this.#end(error);
    }
  }

  /** Tells of the error, if there was one, and then of the end; once. */
  #end(error?: unknown): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    void this.#close();
    if (error !== undefined) this.#emit('error', error);
    this.#emit('close', error !== undefined);
  }

  async #close(): Promise<void> {
    try {
      await this.#tcp.close();
    } catch {
      // It was broken, and is closed now too.
    }
  }

  #emit(event: string, argument: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(argument);
  }
}
