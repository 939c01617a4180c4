import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWorld, type World, type WorldUser } from '../tests/support/world.ts';
import { ChannelSession } from './channel-session.ts';
import { createApi } from './http.ts';
import { InboxSession } from './inbox-session.ts';
import { randomId, systemClock } from './ports.ts';
import { memoryStore } from './stores/memory.ts';

const WITHIN = { timeout: 40_000 };
const TOKEN_MS = 9_000;
let world: World;
let alice: WorldUser;
let channel: string;

/** Alice's channel and inbox over Node's own WebSocket, with a token that may change. */
async function join(token: () => Promise<string>) {
  const api = createApi({ baseUrl: world.baseUrl, token });
  const { me, channels } = await api.bootstrap();
  const entry = channels.find(({ id }) => id === channel);
  if (!entry) throw new Error('Alice is no member');
  const ports = { api, openSocket: (url: string, protocols: string[]) => new WebSocket(url, protocols), tickets: true, clock: systemClock, random: Math.random };
  const [heard, states, inboxStates]: [string[], string[], string[]] = [[], [], []];
  const session = new ChannelSession(entry, me.id, { ...ports, store: memoryStore(), newId: randomId }, {
    connectionChanged: ({ name }) => states.push(name),
    events: (events) => heard.push(...events.flatMap((event) => (event.type === 'message.created' ? [event.text] : []))),
  });
  const inbox = new InboxSession(ports, { connectionChanged: ({ name }) => inboxStates.push(name) });
  session.start();
  inbox.start();
  const stop = () => [session, inbox].forEach((one) => one.stop());
  return { session, heard, states, inboxStates, stop };
}

beforeAll(async () => {
  world = await startWorld('client');
  alice = await world.user('alice');
  channel = await world.channel('plans', [alice]);
});
afterAll(() => world?.close());

describe('the client on the real stack', () => {
  it('renews its credential in band: no socket is lost when the first one ends (P34)', async () => {
    const short = await world.user('alice', { tokenMs: TOKEN_MS });
    let token = short.token;
    const client = await join(async () => token);
    await expect.poll(() => [client.states.at(-1), client.inboxStates.at(-1)], WITHIN).toEqual(['open', 'open']);
    token = alice.token;
    await sleep(TOKEN_MS + 3_000);
    client.session.send('still here');
    await expect.poll(() => client.heard, WITHIN).toEqual(['still here']);
    expect([client.states, client.inboxStates]).toEqual([['connecting', 'open'], ['connecting', 'open']]);
    client.stop();
  });

  it('hears and says everything once across a restart of everything (G2, G3, G4)', async () => {
    const client = await join(async () => alice.token);
    await expect.poll(() => client.states.at(-1), WITHIN).toBe('open');
    client.session.send('before');
    await expect.poll(() => client.heard, WITHIN).toEqual(['before']);
    const restarted = world.restart();
    client.session.send('meanwhile');
    await restarted;
    client.session.send('after');
    client.session.wake();
    await expect.poll(() => client.heard, WITHIN).toEqual(['before', 'meanwhile', 'after']);
    const history = async () => (await alice.api.history(channel)).data.map(({ text }) => text);
    await expect.poll(history, WITHIN).toEqual(['still here', 'before', 'meanwhile', 'after']);
    client.stop();
  });
});
