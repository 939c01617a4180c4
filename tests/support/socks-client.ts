import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Network } from './proxy.ts';

/** A connection to this port of loopback by that network, as a browser opens it. */
export async function openBy(network: Network, port: number): Promise<Socket> {
  const socket = connect(Number(new URL(network.url).port), '127.0.0.1').on('error', () => {});
  socket.write(Uint8Array.of(5, 1, 0));
  await once(socket, 'data');
  socket.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255));
  await once(socket, 'data');
  return socket;
}
