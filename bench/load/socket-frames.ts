
const [CONTINUATION, TEXT, CLOSE] = [0, 1, 8];
const EMPTY = Buffer.alloc(0);

/** A text frame of a client. Its mask is zero, which RFC 6455 allows and which saves the masking. */
export function encodeText(text: string): Buffer {
  const payload = Buffer.from(text);
  const long = payload.length > 125;
  if (payload.length > 0xffff) throw new Error('a frame of the loader stays below 64 KiB');
  const head = Buffer.alloc(long ? 8 : 6);
  head[0] = 0x80 | TEXT;
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

/** Reads the messages of one server, without extensions. Throws when the server closes. */
export class SocketMessages {
  #rest: Buffer = EMPTY;
  #parts: Buffer[] = [];

  /** Takes bytes, gives the text messages that are complete with them. */
  push(bytes: Buffer): string[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const messages: string[] = [];
    let at = 0;
    for (let frame = readFrame(this.#rest, at); frame !== null; frame = readFrame(this.#rest, at)) {
      at = frame.end;
      const message = this.#take(frame);
      if (message !== null) messages.push(message);
    }
    this.#rest = this.#rest.subarray(at);
    return messages;
  }

  #take({ opcode, final, payload }: Frame): string | null {
    if (opcode === CLOSE) throw new Error(`closed by the server: ${payload.length >= 2 ? payload.readUInt16BE(0) : 1005}`);
    if (opcode !== TEXT && opcode !== CONTINUATION) return null;
    this.#parts.push(payload);
    if (!final) return null;
    const message = this.#parts.length === 1 ? payload.toString() : Buffer.concat(this.#parts).toString();
    this.#parts = [];
    return message;
  }
}

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
  readonly end: number;
}

function readFrame(bytes: Buffer, at: number): Frame | null {
  const size = payloadSize(bytes, at);
  if (size === null || bytes.length < size.from + size.length) return null;
  const first = bytes.readUInt8(at);
  const end = size.from + size.length;
  return { opcode: first & 0x0f, final: (first & 0x80) !== 0, payload: bytes.subarray(size.from, end), end };
}

function payloadSize(bytes: Buffer, at: number): { from: number; length: number } | null {
  if (bytes.length < at + 2) return null;
  const short = bytes.readUInt8(at + 1) & 0x7f;
  if (short < 126) return { from: at + 2, length: short };
  const from = at + (short === 126 ? 4 : 10);
  if (bytes.length < from) return null;
  return { from, length: short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2)) };
}
