import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SOCKET_LIMITS } from '../durable-objects/sockets/socket-limits.ts';
import { BAD_HANDSHAKES, BREACHES, type Breach } from './support/bad-websockets.ts';
import { openRawSocket, type RawSocket } from './support/raw-socket.ts';
import { OPCODES, rawFrame, TcpWebSocket } from './support/tcp-websocket.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const PATIENCE = { timeout: 15_000 };
/** How long a socket that says nothing is watched. */
const WATCH_MS = 2_000;
const DEFLATE = { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' };
const INBOX = '/v1/me/socket';

let world: World;
let alice: WorldUser;
let bob: WorldUser;
let channel: string;
let witness: RawSocket;
let pids: Readonly<Record<string, number>>;

beforeAll(async () => {
  world = await startWorld('raw-sockets');
  [alice, bob] = [await world.user('alice'), await world.user('bob')];
  channel = await world.channel('raw-sockets', [alice, bob]);
  witness = await openRawSocket(world.baseUrl, channel, bob.token);
  pids = world.pids();
});
afterAll(() => world?.close());

const roomPath = (): string => `/v1/channels/${channel}/socket`;

async function open(path: string, headers: Readonly<Record<string, string | undefined>> = {}, { token } = alice): Promise<TcpWebSocket> {
  const socket = await TcpWebSocket.open(world.baseUrl, token, { path, headers });
  await within(PATIENCE.timeout, () => socket.texts[0]?.includes('"welcome"') === true);
  return socket;
}

/** Whether it came to be so in time. Tests that run side by side share no `expect`. */
async function within(ms: number, isSo: () => boolean): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline && !isSo()) await sleep(50);
  return isSo();
}

/** What answers the bytes; what was said besides the welcome and badges is taken for an answer, too. */
async function answerTo(socket: TcpWebSocket, { bytes, answer }: Breach): Promise<unknown> {
  for (const chunk of bytes) socket.write(chunk);
  await within(answer === 'waits' ? WATCH_MS : PATIENCE.timeout, () => socket.closeCode !== null);
  const said = socket.texts.filter((text) => /"type":"(result|problem)"/.test(text));
  if (said.length > 0) return said;
  return socket.closeCode ?? (socket.isOpen ? 'waits' : 'ended');
}

describe('bytes that are no WebSocket are answered by a close, or by nothing (G8)', () => {
  it.concurrent.each(BREACHES)('in a room: $name', async (breach) => {
    const socket = await open(roomPath());
    expect(await answerTo(socket, breach)).toBe(breach.answer);
    socket.destroy();
  });

  it.concurrent.each(BREACHES)('in an inbox: $name', async (breach) => {
    const socket = await open(INBOX);
    expect(await answerTo(socket, breach)).toBe(breach.answer);
    socket.destroy();
  });

  it.each(BAD_HANDSHAKES)('a handshake %s', async (_, headers, status) => {
    const socket = await TcpWebSocket.open(world.baseUrl, alice.token, { path: roomPath(), headers });
    await expect.poll(() => socket.status, PATIENCE).toBe(status);
    socket.destroy();
  });

  it('a handshake of 2 MB, and one by POST', async () => {
    const large = await TcpWebSocket.open(world.baseUrl, alice.token, { path: roomPath(), headers: { 'x-more': 'x'.repeat(2_000_000) } });
    const posted = await TcpWebSocket.open(world.baseUrl, alice.token, { path: roomPath(), method: 'POST' });
    await expect.poll(() => !large.isOpen || (large.status ?? 0) >= 400, PATIENCE).toBe(true);
    await expect.poll(() => posted.status, PATIENCE).toBeGreaterThanOrEqual(400);
    for (const socket of [large, posted]) socket.destroy();
  });

  it('one that speaks before it was let in is heard in order', async () => {
    const socket = await TcpWebSocket.open(world.baseUrl, alice.token, { path: roomPath() });
    socket.write(rawFrame({ opcode: OPCODES.text, payload: '{' }));
    await expect.poll(() => socket.texts.map((text) => JSON.parse(text).type), PATIENCE).toEqual(['welcome', 'problem']);
    socket.destroy();
  });
});

describe('compression is refused to whoever offers it (decision 0016)', () => {
  it('on the socket of a room, and of an inbox', async () => {
    for (const path of [roomPath(), INBOX]) {
      const socket = await open(path, DEFLATE);
      expect([socket.status, socket.head]).toEqual([101, expect.not.stringMatching(/sec-websocket-extensions/i)]);
      socket.destroy();
    }
  });

  it('on the socket of a node, where the room has its fill', async () => {
    const filling: TcpWebSocket[] = [];
    // Of one user it takes no more than 100.
    for (let n = 0; filling.length < SOCKET_LIMITS.room; n += 1) {
      const user = await world.user(`filler-${n}`);
      await user.api.join(channel);
      filling.push(...(await Promise.all(Array.from({ length: 50 }, () => open(roomPath(), {}, user)))));
    }
    const socket = await open(roomPath(), DEFLATE);
    expect([socket.status, socket.head]).toEqual([101, expect.not.stringMatching(/sec-websocket-extensions/i)]);
    for (const one of [...filling, socket]) one.destroy();
  });
});

describe('after all that', () => {
  it('the room serves whoever speaks as agreed, and nothing was smuggled into it', async () => {
    const { seq } = await alice.api.send(channel, { client_msg_id: 'after', text: 'after' });
    await expect.poll(() => witness.live().flatMap((event) => (event.type === 'message.created' ? [event.text] : [])), PATIENCE).toEqual(['after']);
    expect(witness.events().at(-1)?.seq).toBe(seq);
    witness.socket.terminate();
  });

  it('every process is the one it was', () => expect(world.pids()).toEqual(pids));
});
