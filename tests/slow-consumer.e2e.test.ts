import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SESSION_SCOPES } from '../protocol/scopes.ts';
import { SUBPROTOCOL } from '../protocol/version.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const READERS = 100;
const SILENT = 40;
const MESSAGES = 3_000;
const TEXT = 'x'.repeat(2_000);
const BATCH = 200;
/** What the silent ones may hold is a window each, 40 MiB; without a window they would hold 250 MB. The rest is what any room takes. */
const MOST_GROWTH_MB = 170;

let world: World;
let alice: WorldUser;
/** A room takes a hundred sockets of a user at most. */
let listeners: WorldUser[];
let opened = 0;
let channelId: string;
beforeAll(async () => {
  world = await startWorld('slow-consumer');
  alice = await world.user('alice', { scopes: [...SESSION_SCOPES, 'messages:import'] });
  listeners = [await world.user('bob'), await world.user('carol')];
  channelId = await world.channel('slow', [alice, ...listeners]);
});
afterAll(() => world?.close());

/** The client's end of a socket that looks at numbers only. */
class Reader {
  readonly socket: WebSocket;
  /** Everything up to here has come, without a gap. */
  to = 0;
  frames = 0;
  isAcking: boolean;
  wrong: string | null = null;

  constructor(isAcking: boolean) {
    this.isAcking = isAcking;
    const url = `${world.baseUrl.replace('http', 'ws')}/v1/channels/${channelId}/socket`;
    this.socket = new WebSocket(url, SUBPROTOCOL, { headers: { authorization: `Bearer ${listeners[(opened += 1) % 2]?.token}` }, perMessageDeflate: false });
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => this.#take(String(data)));
  }

  ack(): void {
    this.socket.send(`{"type":"ack","seq":${this.to}}`);
  }

  #take(frame: string): void {
    const welcome = /^\{"type":"welcome".*?"seq":(\d+)/.exec(frame)?.[1];
    const [, from, to] = /^\{"type":"events","epoch":1,"from":(\d+),"to":(\d+)/.exec(frame) ?? [];
    if (welcome !== undefined) this.to = Number(welcome);
    else if (from === undefined) return;
    else if (Number(from) !== this.to + 1) this.wrong = `${from} after ${this.to}`;
    this.to = Number(to ?? welcome);
    this.frames += 1;
    if (this.isAcking || welcome !== undefined) this.ack();
  }
}

async function open(isAcking: boolean): Promise<Reader> {
  const reader = new Reader(isAcking);
  await once(reader.socket, 'message');
  return reader;
}

/** Resident megabytes of workerd, which holds the room. */
const residentMb = (): number => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(world.pids()['worker'])], { encoding: 'utf8' })) / 1024;

let sent = 0;
async function sendBatch(count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => ({ client_msg_id: `m${(sent += 1)}`, text: TEXT }));
  const headers = { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json' };
  const response = await fetch(`${world.baseUrl}/v1/channels/${channelId}/message-batches`, { method: 'POST', headers, body: JSON.stringify({ messages }) });
  expect(response.status).toBeLessThan(300);
}

it('clients that never read cost the room a window each, and the others nothing (G8, P17)', async () => {
  const readers = await Promise.all(Array.from({ length: READERS }, () => open(true)));
  const silent = await Promise.all(Array.from({ length: SILENT }, () => open(false)));
  for (const { socket } of silent) socket.pause();
  await sendBatch(BATCH);
  await expect.poll(() => readers.every(({ to }) => to >= BATCH), { timeout: 30_000 }).toBe(true);
  const before = residentMb();
  for (let count = BATCH; count < MESSAGES; count += BATCH) await sendBatch(BATCH);
  const head = Math.max(...readers.map(({ to }) => to), MESSAGES);
  await expect.poll(() => readers.filter(({ to }) => to < head).length, { timeout: 60_000 }).toBe(0);
  const growth = residentMb() - before;
  console.log(`${growth.toFixed(0)} MB more for ${MESSAGES} messages of ${TEXT.length} bytes, ${READERS} readers and ${SILENT} that do not read`);
  expect(growth).toBeLessThan(MOST_GROWTH_MB);
  expect(readers.map(({ wrong }) => wrong)).toEqual(readers.map(() => null));
  for (const { socket } of [...readers, ...silent]) socket.terminate();
});

it('a client that does not acknowledge is pulled at its own pace, and pushed to again when it has caught up (G4, G8)', async () => {
  const [quick, slow] = [await open(true), await open(false)];
  const start = slow.to;
  for (let count = 0; count < 1_000; count += BATCH) await sendBatch(BATCH);
  await expect.poll(() => quick.to, { timeout: 30_000 }).toBe(start + 1_000);
  const stuck = slow.to;
  expect(stuck - start).toBeGreaterThan(100);
  expect(stuck).toBeLessThan(quick.to);
  slow.ack();
  await expect.poll(() => slow.to, { timeout: 10_000 }).toBeGreaterThan(stuck);
  slow.isAcking = true;
  slow.ack();
  await expect.poll(() => slow.to, { timeout: 10_000 }).toBe(quick.to);
  slow.isAcking = false;
  await sendBatch(1);
  await expect.poll(() => slow.to, { timeout: 10_000 }).toBe(start + 1_001);
  expect([slow.wrong, quick.wrong]).toEqual([null, null]);
  for (const { socket } of [quick, slow]) socket.terminate();
});
