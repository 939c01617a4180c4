import { afterAll, beforeAll, expect, it } from 'vitest';
import { ChannelSession } from '../client/channel-session.ts';
import { createApi } from '../client/http.ts';
import { InboxSession } from '../client/inbox-session.ts';
import { randomId, systemClock } from '../client/ports.ts';
import { memoryStore } from '../client/stores/memory.ts';
import { serverFrameSchema } from '../protocol/frames.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

/** What a deploy does to sockets: all are gone at once, without a close frame, and their objects with all that was in memory. */

const DEVICES = 12;
const MESSAGES = 40;
const DEPLOYS = 2;
const WITHIN = { timeout: 60_000, interval: 100 };

let world: World;
let alice: WorldUser;
let channel: string;
beforeAll(async () => {
  world = await startWorld('deploy');
  alice = await world.user('alice');
  channel = await world.channel('deploys', [alice]);
});
afterAll(() => world?.close());

/** One device of Alice's, by the client, and what its channel's sockets have seen. */
async function device() {
  const api = createApi({ baseUrl: world.baseUrl, token: async () => alice.token });
  const { me, channels } = await api.bootstrap();
  const entry = channels.find(({ id }) => id === channel);
  if (!entry) throw new Error('Alice is no member');
  const seen = { heard: [] as string[], recovered: [] as boolean[], ends: [] as number[], inbox: '' };
  const openSocket = (url: string, protocols: string[]): WebSocket => {
    const socket = new WebSocket(url, protocols);
    if (!url.includes(channel)) return socket;
    socket.addEventListener('message', ({ data }) => {
      const frame = data === 'pong' ? null : serverFrameSchema.parse(JSON.parse(String(data)));
      if (frame?.type === 'welcome') seen.recovered.push(frame.recovered);
    });
    socket.addEventListener('close', ({ code }) => seen.ends.push(code));
    return socket;
  };
  const ports = { api, openSocket, tickets: true, clock: systemClock, random: Math.random };
  const session = new ChannelSession(entry, me.id, { ...ports, store: memoryStore(), newId: randomId }, {
    events: (events) => seen.heard.push(...events.flatMap((event) => (event.type === 'message.created' ? [event.text] : []))),
  });
  const inbox = new InboxSession(ports, { connectionChanged: ({ name }) => (seen.inbox = name) });
  session.start();
  inbox.start();
  return { session, inbox, seen };
}

/** Ends the Worker with all its objects at once; resolves when another serves. */
async function deploy(): Promise<void> {
  const pid = world.pids()['worker'];
  if (pid === undefined) throw new Error('the stack runs no Worker');
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => world.pids()['worker'] ?? pid, WITHIN).not.toBe(pid);
}

it('a deploy in the middle of a conversation costs its devices a reconnect: each resumes, and has everything once and in one order (G1, G2, G3, G4)', async () => {
  const devices = await Promise.all(Array.from({ length: DEVICES }, device));
  await expect.poll(() => devices.map(({ seen }) => [seen.recovered.length, seen.inbox]), WITHIN).toEqual(devices.map(() => [1, 'open']));
  const said: string[] = [];
  const deploys = (async () => {
    for (let n = 1; n <= DEPLOYS; n++) {
      await deploy();
      await expect.poll(() => Math.min(...devices.map(({ seen }) => seen.recovered.length)), WITHIN).toBeGreaterThan(n);
    }
  })();
  for (let n = 0; n < MESSAGES; n++) {
    const text = `message ${n}`;
    said.push(text);
    devices[n % DEVICES]?.session.send(text);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  await deploys;
  await expect.poll(() => devices.map(({ seen }) => seen.heard.length), WITHIN).toEqual(devices.map(() => MESSAGES));
  await expect.poll(() => devices.map(({ seen }) => seen.inbox), WITHIN).toEqual(devices.map(() => 'open'));
  const [first] = devices;
  for (const { seen } of devices) expect(seen.heard).toEqual(first?.seen.heard);
  expect(first?.seen.heard.toSorted()).toEqual(said.toSorted());
  for (const { seen } of devices) {
    expect(seen.recovered.slice(1).every(Boolean)).toBe(true);
    expect([seen.ends.includes(1006), seen.recovered.length > DEPLOYS]).toEqual([true, true]);
  }
  const history = (await alice.api.history(channel, { limit: 100 })).data.map(({ text }) => text);
  await expect.poll(() => history, WITHIN).toEqual(first?.seen.heard);
  for (const { session, inbox } of devices) [session, inbox].forEach((one) => one.stop());
});
