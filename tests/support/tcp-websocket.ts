import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { HANDSHAKE } from './raw-socket.ts';

const END_OF_HEAD = '\r\n\r\n';

export interface Handshake {
  /** With its query. */
  readonly path: string;
  readonly method?: string;
  /** Over those of a good one; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** A WebSocket by hand on a TCP connection: whatever bytes are wanted go out, and what comes back is kept. */
export class TcpWebSocket {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);

  static async open(baseUrl: string, token: string, { path, method = 'GET', headers = {} }: Handshake): Promise<TcpWebSocket> {
    const socket = connect({ port: Number(new URL(baseUrl).port), host: '127.0.0.1', noDelay: true });
    const tcp = new TcpWebSocket(socket);
    await once(socket, 'connect');
    const fields = Object.entries({ host: '127.0.0.1', ...HANDSHAKE, authorization: `Bearer ${token}`, ...headers });
    const lines = fields.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
    tcp.write([`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
    return tcp;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => (this.#received = Buffer.concat([this.#received, bytes])));
    socket.on('error', () => {});
  }

  /** The status line and headers of the answer, once they are there. */
  get head(): string | null {
    const end = this.#received.indexOf(END_OF_HEAD);
    return end === -1 ? null : this.#received.toString('latin1', 0, end);
  }

  get status(): number | null {
    return this.head === null ? null : Number(this.head.slice(9, 12));
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** The code of the close frame that came last, where one did. */
  get closeCode(): number | null {
    const close = this.#frames().find(({ opcode }) => opcode === OPCODES.close);
    return close === undefined || close.payload.length < 2 ? null : close.payload.readUInt16BE(0);
  }

  /** Text messages so far. */
  get texts(): string[] {
    return this.#frames().flatMap(({ opcode, payload }) => (opcode === OPCODES.text ? [payload.toString()] : []));
  }

  write(bytes: string | Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Whole frames, as a server sends them: without a mask. */
  #frames(): { opcode: number; payload: Buffer }[] {
    const start = this.#received.indexOf(END_OF_HEAD) + END_OF_HEAD.length;
    const frames: { opcode: number; payload: Buffer }[] = [];
    for (let at = start; at + 2 <= this.#received.length; ) {
      const [first, second] = [this.#received[at] ?? 0, this.#received[at + 1] ?? 0];
      const [length, size] = this.#length(at, second & 0x7f);
      if (at + size + length > this.#received.length) break;
      frames.push({ opcode: first & 0x0f, payload: this.#received.subarray(at + size, at + size + length) });
      at += size + length;
    }
    return frames;
  }

  #length(at: number, short: number): [length: number, headerBytes: number] {
    if (short < 126) return [short, 2];
    const bytes = this.#received.length - at;
    if (short === 126) return bytes < 4 ? [Infinity, 4] : [this.#received.readUInt16BE(at + 2), 4];
    return bytes < 10 ? [Infinity, 10] : [Number(this.#received.readBigUInt64BE(at + 2)), 10];
  }
}

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  /** Any of 0 to 15. */
  readonly opcode: number;
  readonly payload?: string | Uint8Array;
  readonly fin?: boolean;
  /** The three reserved bits, as a number of 0 to 7. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** The length that is said, where it is not the payload's. */
  readonly length?: bigint;
}

/** A frame as a client sends it, right or wrong. Its mask is of zeros, so that its payload can be read in a trace. */
export function rawFrame({ opcode, payload = '', fin = true, reserved = 0, masked = true, length }: RawFrame): Buffer {
  const body = Buffer.from(payload);
  const said = length ?? BigInt(body.length);
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const bit = masked ? 0x80 : 0;
  const head = said < 126n ? Buffer.of(first, bit | Number(said)) : said < 65_536n ? Buffer.of(first, bit | 126, 0, 0) : Buffer.of(first, bit | 127, 0, 0, 0, 0, 0, 0, 0, 0);
  if (head.length === 4) head.writeUInt16BE(Number(said), 2);
  if (head.length === 10) head.writeBigUInt64BE(said, 2);
  return Buffer.concat([head, ...(masked ? [Buffer.alloc(4)] : []), body]);
}
