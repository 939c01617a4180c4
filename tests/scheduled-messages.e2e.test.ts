import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from './support/event-log.ts';
import { type FleetProcess, startFleetProcess } from './support/fleet.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const TOKEN = 'what-only-fleet-and-Worker-know-0123456789';

/** The Worker as the fleet reaches it. */
class Between {
  readonly #server: Server;
  /** Of a message that is sent: called when the Worker has answered, before the fleet hears it. */
  answered: () => Promise<void> = async () => {};
  isAway = false;

  private constructor(target: string) {
    this.#server = createServer((request, response) => void this.#pass(target, request, response).catch(() => response.destroy()));
  }

  static async listen(target: string): Promise<Between> {
    const between = new Between(target);
    await new Promise<void>((resolve) => between.#server.listen(0, '127.0.0.1', resolve));
    return between;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #pass(target: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    if (this.isAway) return void response.destroy();
    const headers = { 'content-type': 'application/json', authorization: request.headers.authorization ?? '' };
    const answer = await fetch(new URL(request.url ?? '/', target), { method: request.method ?? 'GET', headers, ...(request.method === 'POST' && { body }) });
    const content = await answer.text();
    if (request.url === '/internal/scheduled-messages') await this.answered();
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(content);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let world: World;
let between: Between;
let fleet: FleetProcess | undefined;
let alice: WorldUser;
let bob: WorldUser;

beforeAll(async () => {
  world = await startWorld('scheduled', 'embedded', { consumers: false, vars: { FLEET_TOKEN: TOKEN } });
  between = await Between.listen(world.baseUrl);
  [alice, bob] = [await world.user('alice'), await world.user('bob')];
});
afterEach(async () => {
  await fleet?.end('SIGKILL');
  between.answered = async () => {};
});
afterAll(async () => {
  await between?.close();
  await world?.close();
});

const start = async (): Promise<void> => {
  fleet = await startFleetProcess({ DATABASE_URL: world.postgresUrl, WORKER_URL: between.url, FLEET_TOKEN: TOKEN });
};
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();
const textsOf = async (channel: string): Promise<string[]> => (await alice.api.history(channel)).data.map((message) => message.text);
const statusesOf = async ({ api }: WorldUser, channel: string) => (await api.scheduledMessages({ channel_id: channel })).data.map(({ status, failure }) => failure ?? status);

it('is sent once, at its time, though the fleet is killed between sending and storing that (G1, G2)', async () => {
  const channel = await world.channel('killed', [alice, bob]);
  await start();
  let isKilled = false;
  between.answered = async () => {
    if (isKilled) return;
    isKilled = true;
    await fleet?.end('SIGKILL');
  };
  const at = inSeconds(7);
  const { id } = await bob.api.schedule(channel, { text: 'good morning', send_at: at });
  await eventually(() => isKilled, 60_000);
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(at) - 50);
  await eventually(async () => (await textsOf(channel)).length === 1);
  expect(await statusesOf(bob, channel)).toEqual(['pending']);
  await expect(bob.api.cancelScheduled(id)).rejects.toMatchObject({ code: 'conflict' });
  // As if the lease were over: who holds it is dead.
  await world.sql`UPDATE scheduled_messages SET due_at = now() WHERE id = ${id}`;
  await start();
  await eventually(async () => (await statusesOf(bob, channel)).every((status) => status === 'sent'), 60_000);
  const { data } = await alice.api.history(channel);
  expect(data).toMatchObject([{ text: 'good morning', author_id: bob.id }]);
  expect((await bob.api.scheduledMessages({ channel_id: channel })).data).toMatchObject([{ message_id: data[0]?.id, text: '' }]);
});

it('what came due while the Worker was away is sent when it is back, in order; who may not send any more is told so, and nobody else anything (G3, G5)', async () => {
  const channel = await world.channel('outage', [alice, bob]);
  const root = await alice.api.send(channel, { client_msg_id: 'root', text: 'root' });
  await eventually(async () => (await textsOf(channel)).length === 1);
  between.isAway = true;
  await start();
  const due = inSeconds(9);
  for (const n of [1, 2, 3]) await alice.api.schedule(channel, { text: `${n}`, send_at: due });
  await alice.api.schedule(channel, { text: 'reply', send_at: inSeconds(10), thread_id: root.message_id });
  await bob.api.schedule(channel, { text: 'of one who left', send_at: inSeconds(8) });
  const early = await alice.api.schedule(channel, { text: 'brought forward', send_at: inSeconds(600) });
  await alice.api.sendScheduledNow(early.id);
  await bob.api.leave(channel);
  await eventually(async () => ((await (await fetch(`${fleet?.url}/metrics`)).text()).match(/^colink_scheduled_message_oldest_due_age_seconds (\S+)$/m)?.[1] ?? '0') > '1', 30_000);
  await sleep(2_000);
  expect(await textsOf(channel)).toEqual(['root']);

  between.isAway = false;
  await eventually(async () => !(await statusesOf(alice, channel)).includes('pending'), 60_000);
  await eventually(async () => (await textsOf(channel)).length === 5);
  expect(await textsOf(channel)).toEqual(['root', 'brought forward', '1', '2', '3']);
  await eventually(async () => (await alice.api.replies(channel, root.message_id)).data.length > 0);
  expect((await alice.api.replies(channel, root.message_id)).data.map((message) => message.text)).toEqual(['reply']);
  await eventually(async () => (await statusesOf(bob, channel))[0] !== 'pending', 30_000);
  expect(await statusesOf(bob, channel)).toEqual(['not_a_member']);
});
