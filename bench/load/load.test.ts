import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { openRoomSocket } from './room-socket.ts';
import { perSecond, type LoadSpec } from './run.ts';
import { loadInThread } from './thread.ts';

/** A server of the same shape as a room: it numbers what is sent, answers, and tells everyone. */
let server: Server;
let seq: number;
let received: { client_msg_id: string; text: string }[];
let acks: number[];
let busy: boolean;

const append = (message: { client_msg_id: string; text: string }): number => {
  received.push(message);
  return ++seq;
};

function serveSocket(socket: WebSocket, all: Set<WebSocket>): void {
  socket.send(JSON.stringify({ type: 'welcome', epoch: 1, seq, head: seq, recovered: false, limits: { window_events: 1_000, window_bytes: 1_048_576 } }));
  socket.on('message', (data) => {
    const frame = JSON.parse(String(data));
    if (frame.type === 'ack') return void acks.push(frame.seq);
    const at = append(frame);
    for (const other of all) other.send(JSON.stringify({ type: 'events', epoch: 1, from: at, to: at, events: [{ seq: at }] }));
    socket.send(JSON.stringify({ type: 'result', re: frame.id, ok: { seq: at } }));
  });
}

beforeEach(async () => {
  [seq, received, acks, busy] = [0, [], [], false];
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      if (busy) return void response.writeHead(503, { 'content-length': 0 }).end();
      const answer = JSON.stringify({ seq: append(JSON.parse(body)) });
      response.writeHead(201, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer);
    });
  });
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'colink.v1' });
  sockets.on('connection', (socket) => serveSocket(socket, sockets.clients));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const port = (): number => (server.address() as AddressInfo).port;
const spec = (change: Partial<LoadSpec>): LoadSpec => ({
  over: 'http',
  port: port(),
  paths: ['/send'],
  channelId: 'c',
  clients: 4,
  seconds: 0.2,
  tokens: ['a', 'b'],
  texts: ['eins', 'zwei "quoted"', 'drei ü'],
  idPrefix: 'round',
  ...change,
});

test.each(['http', 'socket'] as const)('over %s every acknowledged message was taken once', async (over) => {
  const result = await loadInThread(spec({ over }));
  expect(result.seqs.length).toBeGreaterThan(20);
  expect(new Set(received.map(({ client_msg_id }) => client_msg_id)).size).toBe(result.seqs.length);
  expect(result.seqs.toSorted()).toEqual(Float64Array.from(received.keys(), (index) => index + 1));
  expect(new Set(received.map(({ text }) => text))).toEqual(new Set(['eins', 'zwei "quoted"', 'drei ü']));
  expect(perSecond(result)).toBeGreaterThan(100);
  expect(result.refused).toEqual({});
});

test('what is refused is counted apart', async () => {
  busy = true;
  const result = await loadInThread(spec({}));
  expect(result.seqs).toHaveLength(0);
  expect(result.refused['503']).toBeGreaterThan(3);
});

test('a socket acknowledges what it received', async () => {
  const seen: number[] = [];
  const socket = await openRoomSocket({ port: port(), channelId: 'c', token: 'a', onEvents: (_, to) => void seen.push(to) });
  for (let n = 1; n <= 200; n++) await socket.command(`id${n}`, JSON.stringify({ type: 'send', id: `id${n}`, client_msg_id: `m${n}`, text: 'hi' }));
  await expect.poll(() => acks.at(-1)).toBe(200);
  expect(seen).toHaveLength(200);
  socket.close();
});

test('a server that goes away ends the round with an error', async () => {
  const round = loadInThread(spec({ seconds: 5 }));
  await expect.poll(() => received.length).toBeGreaterThan(0);
  server.closeAllConnections();
  await expect(round).rejects.toThrow(/connection|ECONNRESET|EPIPE/);
});
