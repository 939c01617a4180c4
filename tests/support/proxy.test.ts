import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startNetwork } from './proxy.ts';
import { openBy } from './socks-client.ts';

async function startEcho(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const echoed = async (socket: Socket, text: string): Promise<string> => {
  socket.write(text);
  return String((await once(socket, 'data'))[0]);
};

test('a network carries, stalls, cuts and is restored', async () => {
  const network = await startNetwork();
  const port = await startEcho();
  const first = await openBy(network, port);
  expect(await echoed(first, 'one')).toBe('one');
  expect(network.connections()).toBe(1);

  network.stall();
  expect(await Promise.race([echoed(first, 'two'), sleep(100, 'nothing')])).toBe('nothing');
  expect(first.destroyed).toBe(false);
  network.restore();
  await once(first, 'close');

  const second = await openBy(network, port);
  network.cut();
  await once(second, 'close');
  const refused = connect(Number(new URL(network.url).port), '127.0.0.1').on('error', () => {});
  await once(refused, 'close');

  network.restore();
  expect(await echoed(await openBy(network, port), 'three')).toBe('three');
  await network.close();
});
