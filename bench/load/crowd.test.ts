import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { openCrowds, sumTalks, widest, type Crowds } from './crowd-threads.ts';
import type { CrowdSpec } from './crowd.ts';

/** A server of the shape of a room: it numbers what is sent, answers, tells everyone, and serves resumes from what it keeps. */
class Rooms {
  readonly sockets: WebSocketServer;
  readonly resumes: string[] = [];
  readonly offers: string[] = [];
  tickets = 0;
  readonly acks = new Map<WebSocket, number>();
  readonly #told: string[] = [];
  readonly #busy: boolean;

  constructor(server: Server, busy = false) {
    this.#busy = busy;
    this.sockets = new WebSocketServer({ server, handleProtocols: () => 'colink.v1', perMessageDeflate: { threshold: 0 } });
    this.sockets.on('connection', (socket, request) => {
      this.offers.push(request.headers.authorization ?? request.headers['sec-websocket-protocol'] ?? '');
      this.#serve(socket, new URL(request.url ?? '', 'http://x').searchParams.get('since'));
    });
  }

  #serve(socket: WebSocket, since: string | null): void {
    if (since !== null) this.resumes.push(since);
    const from = since === null ? this.#told.length : Number(since);
    socket.send(JSON.stringify({ type: 'welcome', epoch: 1, seq: from, head: this.#told.length, recovered: since !== null, next_ticket: `ticket-${(this.tickets += 1)}`, limits: { window_events: 1_000, window_bytes: 1_048_576 } }));
    if (from < this.#told.length) socket.send(this.#frame(from + 1, this.#told.length));
    socket.on('message', (data) => this.#take(socket, String(data)));
  }

  #take(socket: WebSocket, text: string): void {
    if (text === 'ping') return socket.send('pong');
    const frame = JSON.parse(text);
    if (frame.type === 'ack') return void this.acks.set(socket, frame.seq);
    if (this.#busy) return socket.send(JSON.stringify({ type: 'result', re: frame.id, problem: { code: 'room_backlogged' } }));
    const seq = this.#told.push(frame.text);
    for (const other of this.sockets.clients) other.send(this.#frame(seq, seq));
    socket.send(JSON.stringify({ type: 'result', re: frame.id, ok: { seq } }));
  }

  #frame(from: number, to: number): string {
    const events = this.#told.slice(from - 1, to).map((text, index) => ({ seq: from + index, text }));
    return JSON.stringify({ type: 'events', epoch: 1, from, to, events });
  }
}

let server: Server;
let crowds: Crowds | null;

beforeEach(async () => {
  crowds = null;
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await crowds?.close();
  server.closeAllConnections();
  server.close();
});

const open = async (change: Partial<CrowdSpec> = {}): Promise<Crowds> => {
  const { port } = server.address() as AddressInfo;
  const spec = { port, paths: ['/room'], sockets: 12, tokens: ['a'], speaks: 'room', deflate: false, sampleEvery: 4, texts: ['eins', 'zwei ü'], name: 't' } as const;
  crowds = await openCrowds({ ...spec, ...change }, 2);
  return crowds;
};
const talk = { senders: 4, perSecond: null, warmMs: 100, measureMs: 200 };

describe.each([false, true])('a crowd whose sockets offer compression: %s', (deflate) => {
  test('counts what all of it receives, and times some', async () => {
    const rooms = new Rooms(server);
    const crowd = await open({ deflate });
    const said = await crowd.talk(talk);
    expect(said.acknowledged).toBeGreaterThan(talk.senders);
    expect(said.lastSeq).toBe(said.acknowledged);
    expect(await crowd.settle([said.lastSeq], 5_000)).toEqual([{ least: said.lastSeq, most: said.lastSeq }]);
    expect(said.deliveries).toBeGreaterThan(said.measured * 8);
    expect((await crowd.latencies()).length).toBeGreaterThan(said.measured * 2);
    expect((await crowd.answerTimes()).length).toBeGreaterThanOrEqual(talk.senders);
    await expect.poll(() => [...rooms.acks.values()].filter((seq) => said.lastSeq - seq >= 200), { timeout: 5_000 }).toEqual([]);
  });
});

test('a crowd talks at a rate', async () => {
  const rooms = new Rooms(server);
  const said = await (await open()).talk({ ...talk, perSecond: 100, measureMs: 400 });
  expect(said.acknowledged).toBe(50);
  expect(rooms.sockets.clients.size).toBe(12);
});

test('a crowd that is cut off comes back where it was and misses nothing', async () => {
  const rooms = new Rooms(server);
  const crowd = await open();
  const { lastSeq } = await crowd.talk(talk);
  await crowd.settle([lastSeq], 5_000);
  for (const client of rooms.sockets.clients) client.terminate();
  await expect.poll(() => rooms.resumes.length, { timeout: 5_000 }).toBe(12);
  await expect.poll(async () => (await crowd.state()).open).toBe(12);
  const later = await crowd.talk({ ...talk, measureMs: 50 });
  expect(await crowd.settle([later.lastSeq], 5_000)).toEqual([{ least: later.lastSeq, most: later.lastSeq }]);
  expect(await crowd.state()).toMatchObject({ open: 12, resumed: 12, reset: 0, lost: 12, failures: [] });
  expect(new Set(rooms.resumes)).toEqual(new Set([String(lastSeq)]));
  expect(new Set(rooms.offers.slice(12))).toEqual(new Set(Array.from({ length: 12 }, (_, n) => `colink.v1, colink.ticket.ticket-${n + 1}`)));
});

test('what is refused is counted apart', async () => {
  const rooms = new Rooms(server, true);
  const said = await (await open()).talk(talk);
  expect(said).toMatchObject({ acknowledged: 0 });
  expect(said.refused).toBeGreaterThan(3);
  expect(rooms.resumes).toEqual([]);
});

test('threads are summed: rates by their sum, spans by their mean, the busiest, the highest', () => {
  const one = { acknowledged: 5, measured: 4, lastSeq: 7, refused: 0, deliveries: 40, measuredMs: 100, busy: 0.2 };
  const two = { acknowledged: 3, measured: 2, lastSeq: 8, refused: 1, deliveries: 20, measuredMs: 102, busy: 0.4 };
  expect(sumTalks([one, two])).toEqual({ acknowledged: 8, measured: 6, lastSeq: 8, refused: 1, deliveries: 60, measuredMs: 101, busy: 0.4 });
});

test('the reach of all threads is as wide as the widest, path by path', () => {
  expect(widest([[{ least: 2, most: 5 }, { least: 1, most: 1 }], [{ least: 3, most: 7 }, { least: 0, most: 1 }]])).toEqual([{ least: 2, most: 7 }, { least: 0, most: 1 }]);
});
