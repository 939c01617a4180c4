import { constants, inflateRawSync } from 'node:zlib';

/** Takes what a socket brings. */
export interface FrameSink {
  /** An `events` frame is whole. `json`: its text, if it was asked for or had to be inflated anyway; good during the call only. */
  events(from: number, to: number, bytes: number, json: Buffer | null): void;
  /** Any other message, which is short. */
  message(text: string): void;
}

export interface FrameOptions {
  /** Hands over the text of `events` frames; otherwise it is passed over unread. */
  readonly whole: boolean;
}

/** The server has closed the socket. */
export class ServerClosed extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(payload: Buffer) {
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    const reason = payload.toString('utf8', 2);
    super(`closed by the server: ${code} ${reason}`);
    [this.code, this.reason] = [code, reason];
  }
}

/** So much of a message is looked at before the rest is passed over; a message that is no `events` frame is not longer. */
const LOOK_BYTES = 4_096;
const [CONTINUATION, TEXT, BINARY, CLOSE] = [0, 1, 2, 8];
const EMPTY: Buffer = Buffer.alloc(0);
const EVENTS = Buffer.from('{"type":"events","epoch":');

/**
 * Reads what a server sends to one socket, as cheaply as counting allows: of an `events` frame the numbers at its front, its text where it is
 * asked for. Takes `permessage-deflate` with context takeover, as browsers do. Throws when the server closes or sends what cannot be read.
 */
export class EventFrames {
  readonly #sink: FrameSink;
  readonly #whole: boolean;
  readonly #inflater = new Inflater();
  /** The start of a frame of which too little has come yet. */
  #start: Buffer = EMPTY;
  #frame: Frame | null = null;

  constructor(sink: FrameSink, { whole }: FrameOptions) {
    this.#sink = sink;
    this.#whole = whole;
  }

  /** `bytes` may be used again by the caller afterwards. */
  push(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) rest = this.#frame === null ? this.#begin(rest) : this.#go(this.#frame, rest);
  }

  #begin(bytes: Buffer): Buffer {
    const known = this.#start.length === 0 ? bytes : Buffer.concat([this.#start, bytes]);
    const size = frameSize(known);
    const needed = size === null ? Number.POSITIVE_INFINITY : size.from + Math.min(size.length, LOOK_BYTES);
    if (size === null || known.length < needed) {
      this.#start = Buffer.from(known);
      return EMPTY;
    }
    this.#start = EMPTY;
    const first = known.readUInt8(0);
    const payload = known.subarray(size.from, Math.min(known.length, size.from + size.length));
    return this.#open({ opcode: first & 0x0f, deflated: (first & 0x40) !== 0, final: (first & 0x80) !== 0, length: size.length }, payload, known.subarray(size.from + payload.length));
  }

  #open(head: FrameHead, payload: Buffer, rest: Buffer): Buffer {
    if (head.opcode === CLOSE) throw new ServerClosed(payload);
    if (head.opcode === CONTINUATION || !head.final) throw new Error('a fragmented message');
    if (payload.length === head.length) this.#finish(head, payload);
    else {
      const keeps = this.#whole || head.deflated;
      this.#frame = { head, left: head.length - payload.length, look: Buffer.from(keeps ? EMPTY : payload.subarray(0, 96)), parts: keeps ? [Buffer.from(payload)] : null };
    }
    return rest;
  }

  #go(frame: Frame, bytes: Buffer): Buffer {
    const taken = Math.min(frame.left, bytes.length);
    frame.parts?.push(Buffer.from(bytes.subarray(0, taken)));
    frame.left -= taken;
    if (frame.left === 0) {
      this.#frame = null;
      this.#finish(frame.head, frame.parts === null ? frame.look : Buffer.concat(frame.parts));
    }
    return bytes.subarray(taken);
  }

  #finish({ opcode, deflated, length }: FrameHead, payload: Buffer): void {
    if (opcode !== TEXT && opcode !== BINARY) return;
    const text = deflated ? this.#inflater.inflate(payload) : payload;
    if (!text.subarray(0, EVENTS.length).equals(EVENTS)) return this.#sink.message(text.toString());
    const epoch = readNumber(text, EVENTS.length);
    const from = readNumber(text, epoch.end + ',"from":'.length);
    const to = readNumber(text, from.end + ',"to":'.length);
    this.#sink.events(from.value, to.value, deflated ? text.length : length, this.#whole || deflated ? text : null);
  }
}

interface FrameHead {
  readonly opcode: number;
  readonly deflated: boolean;
  readonly final: boolean;
  readonly length: number;
}

/** A frame under way. */
interface Frame {
  readonly head: FrameHead;
  left: number;
  readonly look: Buffer;
  readonly parts: Buffer[] | null;
}

function frameSize(bytes: Buffer): { readonly from: number; readonly length: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes.readUInt8(1) & 0x7f;
  if (short < 126) return { from: 2, length: short };
  const from = short === 126 ? 4 : 10;
  if (bytes.length < from) return null;
  return { from, length: short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2)) };
}

function readNumber(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let [value, end] = [0, at];
  for (let digit = (bytes[end] ?? 0) - 48; digit >= 0 && digit <= 9; digit = (bytes[++end] ?? 0) - 48) value = value * 10 + digit;
  if (end === at) throw new Error(`an events frame without its numbers: ${bytes.toString('latin1', 0, 100)}`);
  return { value, end };
}

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
const WINDOW_BYTES = 32_768;

/** One socket's messages share their past (RFC 7692, context takeover). */
class Inflater {
  #past: Buffer = EMPTY;

  inflate(payload: Buffer): Buffer {
    const dictionary = this.#past.length > 0 ? { dictionary: this.#past } : {};
    const text = inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH, ...dictionary });
    this.#past = Buffer.concat([this.#past, text]).subarray(-WINDOW_BYTES);
    return text;
  }
}
