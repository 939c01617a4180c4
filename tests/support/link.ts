import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

/** What a link does to everything that passes through it. Each is 0 on a link that is well. */
export interface LinkWeather {
  /** Milliseconds that each piece waits, and up to how many more. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** Most bytes of a slice, at random from 1 on; 0: as they came. */
  readonly sliceBytes: number;
  /** Chance, from 0 to 1, that a piece ends its connection in its place, both ways and at once. */
  readonly resetChance: number;
}

/** Bytes on their way: a whole frame where the link knows frames, else what was read at once. */
export interface Piece {
  readonly from: 'client' | 'server';
  readonly bytes: Buffer;
  /** Differs from connection to connection. */
  readonly connection: number;
}

export type Verdict = 'pass' | 'drop' | 'reset';

export interface LinkOptions {
  /** Where it leads, on loopback. */
  readonly port: number;
  readonly random: () => number;
  /** Reassembles frames that begin with their length in four bytes, as Kafka's do; else bytes are judged as they come. */
  readonly frames?: boolean;
}

const CLEAR: LinkWeather = { latencyMs: 0, jitterMs: 0, sliceBytes: 0, resetChance: 0 };

/** A TCP proxy on loopback between a client and a server that both know nothing of it. */
export class Link {
  readonly port: number;
  /** Judges each piece before it is carried on; until it has, what comes behind on that connection waits. */
  judge: ((piece: Piece) => Verdict | Promise<Verdict>) | null = null;
  readonly #options: LinkOptions;
  readonly #server;
  readonly #sockets = new Set<Socket>();
  #weather = CLEAR;
  #connections = 0;

  static async start(options: LinkOptions): Promise<Link> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Link(options, server);
  }

  private constructor(options: LinkOptions, server: ReturnType<typeof createServer>) {
    this.#options = options;
    this.#server = server.on('connection', (client) => this.#accept(client));
    this.port = (server.address() as AddressInfo).port;
  }

  /** What is not named is well again. */
  set(weather: Partial<LinkWeather>): void {
    this.#weather = { ...CLEAR, ...weather };
  }

  /** Carries all, at once, from now on. */
  clear(): void {
    this.set({});
    this.judge = null;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const server = connect(this.#options.port, '127.0.0.1');
    this.#connections += 1;
    const connection = this.#connections;
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket.setNoDelay(true).on('error', () => {}));
      socket.once('close', () => (this.#sockets.delete(socket), other.destroy()));
      const from = socket === client ? 'client' : 'server';
      void this.#carry(socket, other, from, connection).catch(() => socket.destroy());
    }
  }

  /** One direction, a piece after the other: a slow one holds up those behind it, and TCP the sender. */
  async #carry(source: Socket, target: Socket, from: Piece['from'], connection: number): Promise<void> {
    const pieces: AsyncIterable<Buffer> = this.#options.frames ? framesOf(source) : source;
    for await (const bytes of pieces) {
      const { latencyMs, jitterMs, resetChance } = this.#weather;
      if (latencyMs + jitterMs > 0) await sleep(latencyMs + this.#options.random() * jitterMs);
      const verdict = this.#options.random() < resetChance ? 'reset' : ((await this.judge?.({ from, bytes, connection })) ?? 'pass');
      if (verdict === 'reset') return reset(source, target);
      if (verdict === 'pass') await this.#write(target, bytes);
    }
    target.end();
  }

  async #write(target: Socket, bytes: Buffer): Promise<void> {
    const { sliceBytes } = this.#weather;
    for (const slice of sliceBytes > 0 ? this.#slices(bytes, sliceBytes) : [bytes]) {
      if (!target.writable) return;
      if (!target.write(slice)) await untilDrained(target);
      if (sliceBytes > 0) await turn();
    }
  }

  *#slices(bytes: Buffer, most: number): Generator<Buffer> {
    for (let start = 0, end = 0; start < bytes.length; start = end) {
      end = start + 1 + Math.floor(this.#options.random() * most);
      yield bytes.subarray(start, end);
    }
  }
}

async function untilDrained(target: Socket): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(target, 'drain', { signal }), once(target, 'close', { signal })]).finally(() => over.abort());
}

function reset(one: Socket, other: Socket): void {
  one.resetAndDestroy();
  other.resetAndDestroy();
}

/** Cuts a stream into frames, each with the four bytes that say its length. */
async function* framesOf(source: Socket): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = [];
  let size = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    gathered.push(chunk);
    size += chunk.length;
    let bytes = gathered.length > 1 && size >= frameSize(gathered) ? Buffer.concat(gathered) : gathered[0];
    while (bytes !== undefined && bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const end = 4 + bytes.readInt32BE(0);
      yield bytes.subarray(0, end);
      size -= end;
      bytes = bytes.subarray(end);
      gathered = bytes.length === 0 ? [] : [bytes];
    }
  }
}

/** Of the frame that `chunks` begin with; 4 while even its length is not there. */
function frameSize(chunks: readonly Buffer[]): number {
  const [first = Buffer.alloc(0)] = chunks;
  return first.length < 4 ? 4 : 4 + first.readInt32BE(0);
}
