import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type Network, startNetwork } from './proxy.ts';

async function startEcho(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function open(network: Network, port: number): Promise<Socket> {
  const socket = connect(Number(new URL(network.url).port), '127.0.0.1').on('error', () => {});
  socket.write(Uint8Array.of(5, 1, 0));
  await once(socket, 'data');
  socket.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255));
  await once(socket, 'data');
  return socket;
}

const echoed = async (socket: Socket, text: string): Promise<string> => {
  socket.write(text);
  return String((await once(socket, 'data'))[0]);
};

test('a network carries, stalls, cuts and is restored', async () => {
  const network = await startNetwork();
  const port = await startEcho();
  const first = await open(network, port);
  expect(await echoed(first, 'one')).toBe('one');
  expect(network.connections()).toBe(1);

  network.stall();
  expect(await Promise.race([echoed(first, 'two'), sleep(100, 'nothing')])).toBe('nothing');
  expect(first.destroyed).toBe(false);
  network.restore();
  await once(first, 'close');

  const second = await open(network, port);
  network.cut();
  await once(second, 'close');
  const refused = connect(Number(new URL(network.url).port), '127.0.0.1').on('error', () => {});
  await once(refused, 'close');

  network.restore();
  expect(await echoed(await open(network, port), 'three')).toBe('three');
  await network.close();
});
