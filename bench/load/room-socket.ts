import { randomBytes } from 'node:crypto';
import { Acks, type AckWindow } from '../../client/acks.ts';
import { systemClock } from '../../client/ports.ts';
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

const RESULT = '{"type":"result"';
const EVENTS = '{"type":"events"';

/**
 * Joins a room without compression. Frames are looked into only as far as measuring needs; they are acknowledged as the client SDK
 * does it, since one who never does is spared the pushing, which would flatter the room. Resolves at `welcome`.
 */
export async function openRoomSocket(options: RoomSocketOptions): Promise<RoomSocket> {
  const socket = await openSocket(options.port);
  const results = new Map<string, PromiseWithResolvers<string>>();
  const welcomed = Promise.withResolvers<Welcome>();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const fail = (error: unknown): void => {
    welcomed.reject(error);
    ended.reject(error);
    for (const result of results.values()) result.reject(error);
  };
  let [seq, head] = [0, 0];
  let acks: Acks | null = null;

  function takeEvents(frame: string): void {
    const [from, to] = [readCounter(frame, 'from'), readCounter(frame, 'to')];
    if (from !== seq + 1 || to < from) throw new Error(`events ${from} to ${to} follow ${seq}`);
    seq = to;
    acks?.received(to, frame.length, to < head);
    options.onEvents?.(from, to, frame);
  }
  function take(frame: string): void {
    if (frame.startsWith(EVENTS)) return takeEvents(frame);
    if (frame.startsWith(RESULT)) {
      const id = /"re":"([^"]*)"/.exec(frame)?.[1] ?? '';
      results.get(id)?.resolve(frame);
      results.delete(id);
      return;
    }
    if (!frame.startsWith('{"type":"welcome"')) throw new Error(`unexpected frame ${frame.slice(0, 200)}`);
    const welcome: Welcome = JSON.parse(frame);
    [seq, head] = [welcome.seq, welcome.head];
    acks = new Acks(seq, welcome.limits, systemClock, (upTo) => void socket.write(encodeText(`{"type":"ack","seq":${upTo}}`)));
    welcomed.resolve(welcome);
  }
  const reader = createReader(take);
  socket.on('data', (bytes: Buffer) => {
    try {
      reader(bytes);
    } catch (error) {
      fail(error);
      socket.destroy();
    }
  });
  socket.on('error', fail);
  socket.on('close', () => {
    acks?.stop();
    fail(new Error('the server ended the connection'));
  });
  socket.write(upgradeRequest(options));
  return {
    welcome: await welcomed.promise,
    ended: ended.promise,
    command(id, text) {
      const result = Promise.withResolvers<string>();
      results.set(id, result);
      if (socket.destroyed) result.reject(new Error('the connection has ended'));
      else socket.write(encodeText(text));
      return result.promise;
    },
    close: () => void socket.destroy(),
  };
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
