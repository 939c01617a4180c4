import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import { Link, type LinkOptions, type Piece } from './link.ts';

async function startEcho(options: Partial<LinkOptions> = {}): Promise<{ link: Link; open(): Promise<Socket> }> {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = await Link.start({ port: (server.address() as AddressInfo).port, random: seededRandom(1), ...options });
  onTestFinished(async () => {
    await link.close();
    server.close();
  });
  return {
    link,
    open: async () => {
      const socket = connect(link.port, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      return socket;
    },
  };
}

async function receive(socket: Socket, size: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk);
    if (Buffer.concat(chunks).length >= size) break;
  }
  return Buffer.concat(chunks);
}

const frame = (text: string): Buffer => {
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeInt32BE(text.length);
  bytes.write(text, 4);
  return bytes;
};

test('slices arrive whole and in order', async () => {
  const { link, open } = await startEcho();
  link.set({ sliceBytes: 7, jitterMs: 2 });
  const sent = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251));
  const socket = await open();
  socket.write(sent);
  expect(await receive(socket, sent.length)).toEqual(sent);
});

test('latency counts both ways', async () => {
  const { link, open } = await startEcho();
  link.set({ latencyMs: 40 });
  const socket = await open();
  const begun = performance.now();
  socket.write('x');
  await receive(socket, 1);
  expect(performance.now() - begun).toBeGreaterThan(75);
});

test('a reset ends the connection, and the next one is as good as any', async () => {
  const { link, open } = await startEcho();
  link.set({ resetChance: 1 });
  const socket = await open();
  socket.write('x');
  await new Promise((resolve) => socket.once('close', resolve));
  link.clear();
  const next = await open();
  next.write('y');
  expect(String(await receive(next, 1))).toBe('y');
});

test('frames are judged whole, however they come, and one that is dropped is missing alone', async () => {
  const { link, open } = await startEcho({ frames: true });
  const judged: Piece[] = [];
  link.judge = (piece) => {
    judged.push(piece);
    return piece.from === 'client' && piece.bytes.includes('bad') ? 'drop' : 'pass';
  };
  const socket = await open();
  const bytes = Buffer.concat([frame('one'), frame('bad'), frame('three')]);
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  expect(await receive(socket, 16)).toEqual(Buffer.concat([frame('one'), frame('three')]));
  expect(judged.filter(({ from }) => from === 'client').map((piece) => piece.bytes.subarray(4).toString())).toEqual(['one', 'bad', 'three']);
});
