import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { check, type Acknowledgement, type Attempt } from './support/checker.ts';
import { observeStores } from './support/observe.ts';
import { problemOf, rawRequest } from './support/raw-http.ts';
import { Reader } from './support/reader.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

let world: World;
let alice: WorldUser;
let bob: WorldUser;
let channel: string;
const attempts: Attempt[] = [];
const acknowledged: Acknowledgement[] = [];

beforeAll(async () => {
  world = await startWorld('restart');
  alice = await world.user('alice');
  bob = await world.user('bob');
  channel = await world.channel('restart', [alice, bob]);
});
afterEach(({ task }) => task.result?.state === 'fail' && world.keep());
afterAll(() => world?.close());

async function say(user: WorldUser, name: string): Promise<void> {
  const attempt = { author_id: user.id, client_msg_id: name, text: `this is ${name}` };
  attempts.push(attempt);
  const { message_id, seq } = await user.api.send(channel, { client_msg_id: name, text: attempt.text });
  acknowledged.push({ type: 'message.created', author_id: user.id, message_id, seq });
}

const series = async (user: WorldUser, name: string, count: number): Promise<void> => {
  for (let index = 1; index <= count; index += 1) await say(user, `${name}-${index}`);
};

const read = (name: string): Reader => new Reader({ name, baseUrl: world.baseUrl, channelId: channel, token: bob.token, epoch: 1, after: 0 }).start();

async function problemAt(path: string) {
  const response = await rawRequest(world.baseUrl, { method: 'GET', path, headers: { authorization: `Bearer ${bob.token}` } });
  return { ...problemOf(response), retryAfter: Number(response.headers['retry-after']) };
}

/** Everything so far, wherever it is to be seen, without a violation. */
async function expectWhole(reader: Reader): Promise<void> {
  const probe = await read('probe').welcomed();
  await Promise.all([reader, probe].map((one) => one.until(probe.head, 20_000)));
  const stores = await observeStores({ api: bob.api, db: world.db, channelId: channel }, probe.head, 30_000);
  expect(check({ attempts, acknowledged, readers: [reader, probe], ...stores, topic: null, head: probe.head })).toEqual([]);
  probe.stop();
}

describe('the stack', () => {
  it('keeps what it was told over a stop and a start (G1, G6)', async () => {
    const reader = await read('over the restart').welcomed();
    await series(alice, 'before', 20);
    await world.restart();
    await reader.welcomed(2, 30_000);
    await series(alice, 'after', 5);
    await expectWhole(reader);
    expect(reader.unrecovered).toBe(0);
    reader.stop();
  });

  it('knows a message again that was sent before the restart (G2)', async () => {
    const again = await alice.api.send(channel, { client_msg_id: 'before-1', text: 'this is before-1' });
    expect(acknowledged[0]).toMatchObject({ message_id: again.message_id, seq: again.seq });
  });

  it('lets people go on while Postgres is away, says so where it cannot serve, and drains after (G1, G6)', async () => {
    const reader = await read('without Postgres').welcomed();
    await series(bob, 'with', 3);
    world.pausePostgres();
    try {
      await series(alice, 'without', 20);
      await series(bob, 'neither', 5);
      await reader.until(Math.max(...acknowledged.map(({ seq }) => seq ?? 0)), 5_000);
      for (const path of [`/v1/channels/${channel}/messages`, '/v1/search/messages?q=without', '/v1/bootstrap']) {
        const problem = await problemAt(path);
        expect({ path, code: problem.code }).toEqual({ path, code: 'unavailable' });
        expect(problem.retryAfter).toBeGreaterThan(0);
      }
      expect((await rawRequest(world.baseUrl, { method: 'GET', path: '/ready' })).status).toBe(503);
      expect((await rawRequest(world.baseUrl, { method: 'GET', path: '/health' })).status).toBe(200);
    } finally {
      world.resumePostgres();
    }
    await expectWhole(reader);
    reader.stop();
    await expect.poll(async () => (await rawRequest(world.baseUrl, { method: 'GET', path: '/ready' })).status, { timeout: 15_000 }).toBe(200);
    await expect.poll(async () => (await bob.api.search({ q: '"this is without-20"' })).data.length, { timeout: 15_000 }).toBe(1);
  });
});
