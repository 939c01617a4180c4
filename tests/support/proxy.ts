import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { CONNECTED, frontOf } from './detour.ts';

/** A network that a test can take away. `url` is for a browser's proxy setting: what it opens, of whatever kind, goes through here. */
export interface Network {
  readonly url: string;
  /** Connections that pass through at the moment. */
  connections(): number;
  /** Ends every connection, and each new one at once. */
  cut(): void;
  /** Lets what is open stand, but carries nothing any more: a peer that vanished without a word. */
  stall(): void;
  /** As at first. What was stalled is ended: its bytes are lost. */
  restore(): void;
  close(): Promise<void>;
}

type Mode = 'open' | 'cut' | 'stalled';
interface Tunnel {
  readonly inner: Socket;
  readonly outer: Socket;
}

/** A SOCKS5 proxy (RFC 1928, no authentication, CONNECT alone) on loopback. */
export async function startNetwork(): Promise<Network> {
  const clients = new Set<Socket>();
  const tunnels = new Set<Tunnel>();
  let mode: Mode = 'open';
  const endAll = (): void => clients.forEach((client) => client.destroy());
  const server = createServer((inner) => {
    clients.add(inner.on('error', () => {}).once('close', () => clients.delete(inner)));
    if (mode === 'open') void accept(inner, tunnels).catch(() => inner.destroy());
    else if (mode === 'cut') inner.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `socks5://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => tunnels.size,
    cut: () => {
      mode = 'cut';
      endAll();
    },
    stall: () => {
      mode = 'stalled';
      tunnels.forEach(({ inner, outer }) => (inner.unpipe(outer).resume(), outer.unpipe(inner).resume()));
    },
    restore: () => {
      if (mode === 'stalled') endAll();
      mode = 'open';
    },
    close: () => closeServer(server, endAll),
  };
}

async function closeServer(server: Server, endAll: () => void): Promise<void> {
  server.close();
  endAll();
  await once(server, 'close');
}

async function accept(inner: Socket, tunnels: Set<Tunnel>): Promise<void> {
  const [, methods = 0] = await read(inner, 2);
  await read(inner, methods);
  inner.write(Uint8Array.of(5, 0));
  const outer = await reach(await readTarget(inner));
  if (inner.destroyed) return void outer.destroy();
  inner.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
  const tunnel = { inner, outer };
  tunnels.add(tunnel);
  for (const [socket, other] of [[inner, outer], [outer, inner]] as const) {
    socket.setNoDelay(true).pipe(other);
    socket.once('close', () => (tunnels.delete(tunnel), other.destroy()));
  }
}

interface Target {
  readonly host: string;
  readonly port: number;
}

/** A connection to it, or to the front of a validation proxy, which was told whom it is for. */
async function reach(target: Target): Promise<Socket> {
  const front = frontOf(target.host);
  const outer = connect(front === null ? target : { host: target.host, port: Number(new URL(`http://${front}`).port) }).on('error', () => {});
  await once(outer, 'connect');
  if (front === null) return outer;
  const authority = `${target.host}:${target.port}`;
  outer.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  await read(outer, CONNECTED.length);
  return outer;
}

const IPV4 = 1;
const NAME = 3;

async function readTarget(socket: Socket): Promise<Target> {
  const kind = (await read(socket, 4))[3];
  const length = kind === IPV4 ? 4 : kind === NAME ? ((await read(socket, 1))[0] ?? 0) : 16;
  const address = await read(socket, length);
  const port = (await read(socket, 2)).readUInt16BE();
  return { host: kind === NAME ? address.toString() : kind === IPV4 ? [...address].join('.') : '::1', port };
}

/** Exactly `size` bytes. */
async function read(socket: Socket, size: number): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0);
  for (;;) {
    const chunk = socket.read(size) as Buffer | null;
    if (chunk) return chunk;
    if (socket.destroyed || socket.readableEnded) throw new Error('the connection ended early');
    await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
  }
}
