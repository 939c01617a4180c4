import { randomBytes } from 'node:crypto';
import { Acks, type AckWindow } from '../../client/acks.ts';
import { SUBPROTOCOL } from '../../protocol/version.ts';
import { openSocket } from './http-client.ts';
import { encodeText, SocketMessages } from './socket-frames.ts';

/** Where a socket is in its room's log. */
export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

export interface Welcome extends Cursor {
  readonly head: number;
  readonly recovered: boolean;
  readonly limits: AckWindow;
}

export interface RoomSocketOptions {
  readonly port: number;
  readonly channelId: string;
  readonly token: string;
  readonly since?: Cursor;
  /** Told of each `events` frame, which continues the one before; `frame` is its text. */
  readonly onEvents?: (from: number, to: number, frame: string) => void;
}

export interface RoomSocket {
  readonly welcome: Welcome;
  /** Sends a command whose text carries this id, and gives its result's text. Rejects when the connection ends or breaks the protocol. */
  command(id: string, text: string): Promise<string>;
  /** Rejects when the connection ends or breaks the protocol; otherwise it stays open. */
  readonly ended: Promise<never>;
  close(): void;
}

/**
 * Joins a room without compression. Frames are looked into only as far as measuring needs; they are acknowledged as the client SDK
 * does it, since one who never does is spared the pushing, which would flatter the room. Resolves at `welcome`.
 */
export async function openRoomSocket(options: RoomSocketOptions): Promise<RoomSocket> {
  const socket = await openSocket(options.port);
  const session = new Session((text) => void socket.write(encodeText(text)), options.onEvents);
  const read = createReader((frame) => session.take(frame));
  socket.on('data', (bytes: Buffer) => {
    try {
      read(bytes);
    } catch (error) {
      session.end(error);
      socket.destroy();
    }
  });
  socket.on('error', (error) => session.end(error));
  socket.on('close', () => session.end(new Error('the server ended the connection')));
  socket.write(upgradeRequest(options));
  const welcome = await session.welcomed;
  return { welcome, ended: session.ended, command: (id, text) => session.command(id, text), close: () => void socket.destroy() };
}

/** One connection's part of the protocol. */
class Session {
  readonly #send: (text: string) => void;
  readonly #onEvents: RoomSocketOptions['onEvents'];
  readonly #results = new Map<string, PromiseWithResolvers<string>>();
  readonly #welcomed = Promise.withResolvers<Welcome>();
  readonly #ended = Promise.withResolvers<never>();
  #failure: unknown = null;
  #acks: Acks | null = null;
  #seq = 0;
  #head = 0;

  constructor(send: (text: string) => void, onEvents: RoomSocketOptions['onEvents']) {
    this.#send = send;
    this.#onEvents = onEvents;
    this.#ended.promise.catch(() => {});
  }

  get welcomed(): Promise<Welcome> {
    return this.#welcomed.promise;
  }

  get ended(): Promise<never> {
    return this.#ended.promise;
  }

  command(id: string, text: string): Promise<string> {
    const result = Promise.withResolvers<string>();
    if (this.#failure !== null) result.reject(this.#failure);
    else this.#send(text);
    this.#results.set(id, result);
    return result.promise;
  }

  /** Throws at what breaks the protocol. */
  take(frame: string): void {
    if (frame.startsWith('{"type":"events"')) return this.#takeEvents(frame);
    if (frame.startsWith('{"type":"result"')) return this.#takeResult(frame);
    if (!frame.startsWith('{"type":"welcome"')) throw new Error(`unexpected frame ${frame.slice(0, 200)}`);
    const welcome: Welcome = JSON.parse(frame);
    [this.#seq, this.#head] = [welcome.seq, welcome.head];
    this.#acks = new Acks(welcome.seq, welcome.limits, (seq) => this.#send(`{"type":"ack","seq":${seq}}`));
    this.#welcomed.resolve(welcome);
  }

  end(error: unknown): void {
    this.#failure ??= error;
    this.#welcomed.reject(error);
    this.#ended.reject(error);
    for (const result of this.#results.values()) result.reject(error);
  }

  #takeEvents(frame: string): void {
    const [from, to] = [readCounter(frame, 'from'), readCounter(frame, 'to')];
    if (from !== this.#seq + 1 || to < from) throw new Error(`events ${from} to ${to} follow ${this.#seq}`);
    this.#seq = to;
    this.#acks?.received(to, frame.length, to < this.#head);
    this.#onEvents?.(from, to, frame);
  }

  #takeResult(frame: string): void {
    const id = /"re":"([^"]*)"/.exec(frame)?.[1] ?? '';
    this.#results.get(id)?.resolve(frame);
    this.#results.delete(id);
  }
}

function upgradeRequest({ channelId, token, since }: RoomSocketOptions): string {
  const query = since ? `?epoch=${since.epoch}&since=${since.seq}` : '';
  return [
    `GET /v1/channels/${channelId}/socket${query} HTTP/1.1`,
    'host: 127.0.0.1',
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${randomBytes(16).toString('base64')}`,
    `sec-websocket-protocol: ${SUBPROTOCOL}`,
    `authorization: Bearer ${token}`,
    '\r\n',
  ].join('\r\n');
}

/** Passes over the answer to the upgrade, then hands over messages. */
function createReader(take: (frame: string) => void): (bytes: Buffer) => void {
  const messages = new SocketMessages();
  let head: Buffer | null = Buffer.alloc(0);
  return (bytes) => {
    let rest = bytes;
    if (head !== null) {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!head.toString('latin1', 0, 12).startsWith('HTTP/1.1 101')) throw new Error(`no socket: ${head.toString().slice(0, 600)}`);
      rest = head.subarray(end + 4);
      head = null;
    }
    for (const message of messages.push(rest)) take(message);
  };
}

function readCounter(frame: string, name: string): number {
  const at = frame.indexOf(`"${name}":`);
  return Number.parseInt(frame.slice(at + name.length + 3, at + name.length + 23), 10);
}
