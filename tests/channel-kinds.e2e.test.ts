import type { WebClient } from '@slack/web-api';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Channel } from '../protocol/api.ts';
import { HANDSHAKE, openRawSocket } from './support/raw-socket.ts';
import { rawRequest } from './support/raw-http.ts';
import { pages, refusal, slackClient } from './support/slack.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

/** What a person can still find, read and hear of a channel that was public, and of one that was private. */
const WITHIN = { timeout: 20_000, interval: 100 };
const named = z.looseObject({ id: z.string(), is_private: z.boolean() });

let world: World;
let alice: WorldUser;
let bob: WorldUser;
let bobs: WebClient;

beforeAll(async () => {
  world = await startWorld('channel-kinds');
  alice = await world.user('alice', { scopes: ['messages:read', 'messages:write', 'channels:read', 'channels:write', 'webhooks'] });
  bob = await world.user('bob');
  bobs = slackClient(world.baseUrl, bob.token);
}, 120_000);
afterAll(() => world?.close());

const ask = async ({ token }: WorldUser, path: string): Promise<{ status: number; text: string }> =>
  rawRequest(world.baseUrl, { method: 'GET', path, headers: { authorization: `Bearer ${token}`, ...(path.endsWith('/socket') && HANDSHAKE) } });

/** What is answered to each way of reading. */
async function reads(user: WorldUser, id: string, messageId: string, word: string): Promise<Record<string, { status: number; text: string }>> {
  const channel = `/v1/channels/${id}`;
  const paths = {
    channel, list: '/v1/channels?limit=100', bootstrap: '/v1/bootstrap', members: `${channel}/members`, history: `${channel}/messages`, thread: `${channel}/messages/${messageId}/replies`,
    pins: `${channel}/pins`, files: `${channel}/files`, permalink: `/v1/messages/${messageId}`, search: `/v1/search/messages?q=${word}`, within: `/v1/search/messages?q=${word}+in:${id}`,
    fileSearch: `/v1/search/files?q=${word}`, settings: `${channel}/notification-settings`, socket: `${channel}/socket`,
  };
  const answers = await Promise.all(Object.entries(paths).map(async ([name, path]) => [name, await ask(user, path)] as const));
  return Object.fromEntries(answers);
}

const listedBySlack = (client: WebClient) => pages(client, 'conversations.list', 'channels', named, { types: 'public_channel,private_channel', limit: 50 });
const refusedBySlack = (id: string) =>
  Promise.all([bobs.conversations.info({ channel: id }), bobs.conversations.history({ channel: id }), bobs.conversations.members({ channel: id }), bobs.conversations.join({ channel: id })].map(refusal));
const inHistory = async (user: WorldUser, id: string) => (await user.api.history(id)).data.map(({ text }) => text);
const found = async (user: WorldUser, word: string) => (await user.api.search({ q: word })).data.length;

async function channelOf(kind: Channel['kind'], word: string): Promise<{ channel: Channel; messageId: string }> {
  const channel = await alice.api.createChannel({ name: `k-${uuidv7()}`, kind, topic: word });
  const { message_id: messageId } = await alice.api.send(channel.id, { client_msg_id: uuidv7(), text: `${word} was said` });
  await alice.api.pin(channel.id, messageId);
  await alice.api.upload(channel.id, `${word}.txt`, new Blob([word], { type: 'text/plain' }));
  await expect.poll(() => found(alice, word), WITHIN).toBe(1);
  return { channel, messageId };
}

async function hook(id: string): Promise<(text: string) => Promise<number>> {
  const headers = { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json' };
  const made = await fetch(`${world.baseUrl}/v1/channels/${id}/incoming-webhooks`, { method: 'POST', headers, body: JSON.stringify({ name: 'CI' }) });
  const { url } = z.looseObject({ url: z.string() }).parse(await made.json());
  const path = new URL(url).pathname;
  return async (text) => (await fetch(world.baseUrl + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text }) })).status;
}

describe('a public channel that is made private', () => {
  it('is gone for who has left it, before the answer: lists, history, search, permalinks, pins, files, threads, sockets and Slack; its members and webhooks go on (G5)', async () => {
    const word = `zephyr${uuidv7().slice(-8)}`;
    const { channel, messageId } = await channelOf('public', word);
    const post = await hook(channel.id);
    await bob.api.join(channel.id);
    expect([await inHistory(bob, channel.id), await found(bob, word)]).toEqual([[`${word} was said`], 1]);
    await bob.api.leave(channel.id);
    const before = await reads(bob, channel.id, messageId, word);
    expect([before['channel']?.status, before['history']?.status, before['members']?.status]).toEqual([200, 403, 200]);
    expect(before['list']?.text).toContain(word);
    expect((await listedBySlack(bobs)).find(({ id }) => id === channel.id)).toMatchObject({ is_private: false });

    const live = await openRawSocket(world.baseUrl, channel.id, alice.token);
    expect(await alice.api.changeChannel(channel.id, 1, { kind: 'private' })).toMatchObject({ kind: 'private', version: 2 });
    const after = await reads(bob, channel.id, messageId, word);
    for (const [name, { text }] of Object.entries(after)) expect({ name, text }).toEqual({ name, text: expect.not.stringMatching(new RegExp(`${word} was|${word}\\.txt|${channel.name}`)) });
    const statuses = Object.entries(after).map(([name, { status }]) => [name, status]);
    expect(Object.fromEntries(statuses)).toEqual({
      channel: 404, list: 200, bootstrap: 200, members: 404, history: 404, thread: 404, pins: 404, files: 404, permalink: 404, search: 200, within: 200, fileSearch: 200, settings: 404, socket: 404,
    });
    expect(await found(bob, word)).toBe(0);
    await expect(bob.api.join(channel.id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await refusedBySlack(channel.id)).toEqual(Array<string>(4).fill('channel_not_found'));
    expect((await listedBySlack(bobs)).map(({ id }) => id)).not.toContain(channel.id);

    await expect.poll(() => live.events().filter(({ type }) => type === 'channel.changed'), WITHIN).toMatchObject([{ kind: 'private', version: 2 }]);
    expect((await listedBySlack(slackClient(world.baseUrl, alice.token))).find(({ id }) => id === channel.id)).toMatchObject({ is_private: true });
    expect(await post('built')).toBe(200);
    await expect.poll(() => inHistory(alice, channel.id), WITHIN).toEqual([`${word} was said`, 'built']);
    expect(await found(alice, word)).toBe(1);
    live.socket.close();
  });
});

describe('a private channel that is made public', () => {
  it('is found and joined by others, and read and searched from its beginning', async () => {
    const word = `quartz${uuidv7().slice(-8)}`;
    const { channel, messageId } = await channelOf('private', word);
    const before = await reads(bob, channel.id, messageId, word);
    expect([before['channel']?.status, before['history']?.status, before['permalink']?.status, await found(bob, word)]).toEqual([404, 404, 404, 0]);
    expect(await refusedBySlack(channel.id)).toEqual(Array<string>(4).fill('channel_not_found'));

    await alice.api.changeChannel(channel.id, 1, { kind: 'public' });
    expect((await listedBySlack(bobs)).find(({ id }) => id === channel.id)).toMatchObject({ is_private: false });
    expect(await found(bob, word)).toBe(0);
    await bob.api.join(channel.id);
    expect([await inHistory(bob, channel.id), await found(bob, word)]).toEqual([[`${word} was said`], 1]);
    expect((await ask(bob, `/v1/messages/${messageId}`)).status).toBe(200);
    // Who has come in stays when it is closed again.
    await alice.api.changeChannel(channel.id, 2, { kind: 'private' });
    expect([await inHistory(bob, channel.id), await found(bob, word)]).toEqual([[`${word} was said`], 1]);
  });
});
