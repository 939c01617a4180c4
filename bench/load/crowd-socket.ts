import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { SUBPROTOCOL, TICKET_SUBPROTOCOL_PREFIX } from '../../protocol/version.ts';
import { EventFrames, type FrameOptions, type FrameSink } from './event-frames.ts';
import { encodeText } from './socket-frames.ts';

export interface CrowdSocketOptions extends FrameOptions {
  readonly port: number;
  /** With its query. */
  readonly path: string;
  readonly token: string;
  /** What is offered instead of the token, where there is one. */
  readonly ticket?: string | undefined;
  /** Offers permessage-deflate, as browsers do. */
  readonly deflate: boolean;
}

export interface CrowdSocket {
  send(text: string): void;
  close(): void;
}

/** What the server says instead of opening a socket. */
export class RefusedSocket extends Error {
  readonly status: number;

  constructor(head: string) {
    super(`no socket: ${head.slice(0, 400)}`);
    this.status = Number(head.slice(9, 12));
  }
}

/** All sockets of a thread read into it, one at a time. */
const shared = Buffer.alloc(256 * 1024);
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/**
 * Opens a socket that costs its process as little as can be: no streams, no copies, no frame looked into further than counting needs. `ended`
 * is called once, when it ends in any way but by `close`, also when it could not be opened.
 */
export function openCrowdSocket(options: CrowdSocketOptions, sink: FrameSink, ended: (error: Error) => void): CrowdSocket {
  let reader = headReader(options, sink);
  let end: typeof ended | null = ended;
  const finish = (error: Error): void => {
    end?.(error);
    end = null;
    socket.destroy();
  };
  const callback = (length: number): boolean => {
    try {
      reader = reader(shared.subarray(0, length));
    } catch (error) {
      finish(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  };
  const socket: Socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true, onread: { buffer: shared, callback } });
  socket.on('error', finish).on('close', () => finish(new Error('the connection has ended')));
  socket.on('connect', () => socket.write(upgradeRequest(options)));
  return {
    send: (text) => void socket.write(encodeText(text)),
    close() {
      end = null;
      socket.destroy();
    },
  };
}

type Reader = (bytes: Buffer) => Reader;

function headReader(options: FrameOptions, sink: FrameSink): Reader {
  let head: Buffer = Buffer.alloc(0);
  const readHead: Reader = (bytes) => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf(END_OF_HEAD);
    if (end === -1) return readHead;
    if (!head.toString('latin1', 0, 12).startsWith('HTTP/1.1 101')) throw new RefusedSocket(head.toString());
    const frames = new EventFrames(sink, options);
    const readFrames: Reader = (more) => {
      frames.push(more);
      return readFrames;
    };
    return readFrames(head.subarray(end + END_OF_HEAD.length));
  };
  return readHead;
}

function upgradeRequest({ path, token, ticket, deflate }: CrowdSocketOptions): string {
  return [
    `GET ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${randomBytes(16).toString('base64')}`,
    `sec-websocket-protocol: ${SUBPROTOCOL}${ticket === undefined ? '' : `, ${TICKET_SUBPROTOCOL_PREFIX}${ticket}`}`,
    ...(deflate ? ['sec-websocket-extensions: permessage-deflate; client_max_window_bits'] : []),
    ...(ticket === undefined ? [`authorization: Bearer ${token}`] : []),
    '\r\n',
  ].join('\r\n');
}
