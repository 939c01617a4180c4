import { setTimeout as sleep } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import openapi from '../openapi.json' with { type: 'json' };
import { scopeSchema } from '../protocol/scopes.ts';
import { problemOf, type RawRequest, rawRequest } from './support/raw-http.ts';
import { HANDSHAKE, openRawSocket } from './support/raw-socket.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const METHODS = new Set(['get', 'post', 'put', 'patch', 'delete']);
const OPERATIONS = Object.entries(openapi.paths).flatMap(([path, methods]) =>
  Object.keys(methods).filter((method) => METHODS.has(method) && path.startsWith('/v1/')).map((method) => ({ name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path })),
);
const OF_CHANNELS = OPERATIONS.filter(({ path }) => path.startsWith('/v1/channels/{id}'));

/** Bodies that are good in form, so that nothing but the right to do it is in question. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /v1/admin/bots': { handle: 'a-bot', display_name: 'A bot' },
  'POST /v1/admin/bots/{id}/tokens': { name: 'a' },
  'PUT /v1/admin/users/{id}/role': { role: 'member' },
  'POST /v1/me/tokens': { name: 'a' },
  'POST /v1/me/revoke-others': { tokens: true },
  'POST /v1/admin/restart-announcements': { within_seconds: 60 },
  'PATCH /v1/admin/settings': { edit_window_seconds: 900 },
  'POST /v1/admin/messages/{message_id}/remove': { reason: 'r' },
  'POST /v1/admin/reports/{id}/resolve': { action: 'dismiss' },
  'POST /v1/channels/{id}/messages/{message_id}/reports': { reason: 'spam' },
  'POST /v1/channels': { name: 'mine' },
  'POST /v1/channels/{id}/members': { user_id: uuidv7(), role: 'member' },
  'PATCH /v1/channels/{id}/members/{user_id}': { role: 'member' },
  'POST /v1/channels/{id}/incoming-webhooks': { name: 'a' },
  'POST /v1/channels/{id}/messages': { client_msg_id: 'a', text: 'a' },
  'PATCH /v1/channels/{id}/messages/{message_id}': { text: 'a' },
  'PATCH /v1/channels/{id}/notification-settings': { muted: true },
  'POST /v1/channels/{id}/message-batches': { messages: [{ client_msg_id: 'a', text: 'a' }] },
  'PUT /v1/channels/{id}/read-state': { read_pos: 0 },
};

let world: World;
let owner: WorldUser;
let member: WorldUser;
let outsider: WorldUser;
let secret: string;
let message: string;

beforeAll(async () => {
  world = await startWorld('access');
  [owner, member, outsider] = await Promise.all(['alice', 'bob', 'mallory'].map((name) => world.user(name, { scopes: scopeSchema.options }))) as [WorldUser, WorldUser, WorldUser];
  ({ id: secret } = await owner.api.createChannel({ name: 'secret', kind: 'private', topic: '' }));
  ({ message_id: message } = await owner.api.send(secret, { client_msg_id: 'first', text: 'nobody else may read this' }));
});
afterAll(() => world?.close());

function requestOf({ name, method, path }: (typeof OPERATIONS)[number], channel: string, token?: string): RawRequest {
  const ids: Record<string, string> = { message_id: message, webhook_id: message, user_id: 'me', emoji: 'x', id: path.startsWith('/v1/channels') ? channel : member.id };
  const body = BODIES[name];
  return {
    method,
    path: path.replaceAll(/\{(\w+)\}/g, (_, id: string) => ids[id] ?? id),
    headers: {
      ...(path.endsWith('/socket') && HANDSHAKE),
      ...(body && { 'content-type': 'application/json' }),
      ...(path.endsWith('settings') && { 'if-match': '"0"' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
  };
}

async function refusal(request: RawRequest) {
  const { request_id: _, ...problem } = problemOf(await rawRequest(world.baseUrl, request));
  return problem;
}

describe('every route (G5)', () => {
  it.each(OPERATIONS)('$name refuses who says not who they are', async (operation) => {
    expect((await refusal(requestOf(operation, secret))).code).toBe('unauthenticated');
  });

  it.each(OF_CHANNELS)('$name tells an outsider of a private channel what it tells of none', async (operation) => {
    const hidden = await refusal(requestOf(operation, secret, outsider.token));
    expect(hidden.code).toBe('not_found');
    expect(hidden).toEqual(await refusal(requestOf(operation, uuidv7(), outsider.token)));
  });

  it('lists nothing of a private channel to an outsider', async () => {
    await expect.poll(async () => (await owner.api.search({ q: 'nobody' })).data.length, { timeout: 15_000 }).toBe(1);
    expect((await outsider.api.search({ q: 'nobody' })).data).toEqual([]);
    const listed = [...(await outsider.api.channels()).data, ...(await outsider.api.bootstrap()).channels];
    expect(listed.filter(({ id }) => id === secret)).toEqual([]);
  });
});

describe('live access ends before the call returns that ends it (G5)', () => {
  const add = (user: WorldUser) =>
    rawRequest(world.baseUrl, {
      method: 'POST',
      path: `/v1/channels/${secret}/members`,
      headers: { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: user.id, role: 'member' }),
    });

  it('by removal', async () => {
    expect((await add(member)).status).toBe(201);
    const live = await openRawSocket(world.baseUrl, secret, member.token);
    await owner.api.send(secret, { client_msg_id: 'for-both', text: 'for both' });
    await expect.poll(() => live.events().length).toBeGreaterThan(0);

    const removed = await rawRequest(world.baseUrl, { method: 'DELETE', path: `/v1/channels/${secret}/members/${member.id}`, headers: { authorization: `Bearer ${owner.token}` } });
    expect(removed.status).toBe(204);
    live.socket.send(JSON.stringify({ type: 'send', id: 'late', client_msg_id: 'late', text: 'late' }));
    await owner.api.send(secret, { client_msg_id: 'for-one', text: 'for one' });
    expect(await live.closed).toBe(4003);
    const texts = live.events().flatMap((event) => (event.type === 'message.created' ? [event.text] : []));
    expect(texts).toEqual(['for both']);
    for (const operation of OF_CHANNELS) expect({ ...operation, code: (await refusal(requestOf(operation, secret, member.token))).code }).toEqual({ ...operation, code: 'not_found' });
    await expect.poll(async () => (await owner.api.history(secret)).data.map(({ text }) => text)).toEqual(['nobody else may read this', 'for both', 'for one']);
  });

  it('by signing out', async () => {
    const session = await world.user('bob');
    expect((await add(session)).status).toBe(201);
    const live = await openRawSocket(world.baseUrl, secret, session.token);
    const { ticket } = await session.api.socketTicket();
    await session.api.logout();
    live.socket.send(JSON.stringify({ type: 'send', id: 'late', client_msg_id: 'late', text: 'late' }));
    await owner.api.send(secret, { client_msg_id: 'after-logout', text: 'after logout' });
    expect(await live.closed).toBe(4001);
    expect(live.events().filter(({ type }) => type === 'message.created')).toEqual([]);
    for (const operation of OPERATIONS) expect((await refusal(requestOf(operation, secret, session.token))).code).toBe('unauthenticated');
    const headers = { ...HANDSHAKE, 'sec-websocket-protocol': `${HANDSHAKE['sec-websocket-protocol']}, colink.ticket.${ticket}` };
    expect((await refusal({ method: 'GET', path: `/v1/channels/${secret}/socket`, headers })).code).toBe('unauthenticated');
    // Another session of the same person is none of its business.
    expect((await member.api.history(secret)).data.at(-1)?.text).toMatch(/for one|after logout/);
  });

  it('by the end of the token', async () => {
    const brief = await world.user('bob', { tokenMs: 4_000 });
    const live = await openRawSocket(world.baseUrl, secret, brief.token);
    await sleep(4_000);
    await owner.api.send(secret, { client_msg_id: 'after-the-end', text: 'after the end' });
    expect(await live.closed).toBe(4001);
    expect(live.events()).toEqual([]);
    expect((await refusal({ method: 'GET', path: '/v1/me', headers: { authorization: `Bearer ${brief.token}` } })).code).toBe('unauthenticated');
  });
});
