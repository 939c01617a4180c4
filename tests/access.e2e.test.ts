import { setTimeout as sleep } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { users } from '../db/schema/tables.ts';
import { scopeSchema } from '../protocol/scopes.ts';
import { OPEN_TO_ADMINISTRATORS, ruleOf, type Rule } from './support/access-rules.ts';
import type { Operation } from './support/api-document.ts';
import { problemOf, type RawRequest, rawRequest } from './support/raw-http.ts';
import { HANDSHAKE, openRawSocket } from './support/raw-socket.ts';
import { document, type Names, requestOf as requestFor } from './support/route-requests.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const OPERATIONS = document.operations.filter(({ path }) => path.startsWith('/v1/'));
const OF_CHANNELS = OPERATIONS.filter(({ path }) => path.startsWith('/v1/channels/{id}'));
const ROLES = ['guest', 'member', 'moderator', 'admin'] as const;
type Role = (typeof ROLES)[number];

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

const namesOf = ({ path }: Operation, channel: string): Names => ({ channel_id: channel, message_id: message, id: path.startsWith('/v1/channels') ? channel : member.id });
const requestOf = (operation: Operation, channel: string, token?: string): RawRequest => requestFor(operation, namesOf(operation, channel), token);
const asking = (...rules: Rule[]): Operation[] => OPERATIONS.filter((operation) => rules.includes(ruleOf(operation) ?? 'anybody'));

/** Somebody of this role, who is in no channel. */
async function somebody(handle: string, role: Role = 'member', options: Parameters<World['user']>[1] = {}): Promise<WorldUser> {
  const user = await world.user(handle, { scopes: scopeSchema.options, ...options });
  await world.db.update(users).set({ role }).where(eq(users.id, user.id));
  return user;
}

const addTo = (channel: string, user: WorldUser) =>
  rawRequest(world.baseUrl, {
    method: 'POST',
    path: `/v1/channels/${channel}/members`,
    headers: { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: user.id, role: 'member' }),
  });

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

describe('the matrix of routes and callers (G5)', () => {
  const strangers = new Map<Role, WorldUser>();
  beforeAll(async () => {
    for (const role of ROLES) strangers.set(role, await somebody(`a-${role}`, role));
  });
  const stranger = (role: Role): WorldUser => strangers.get(role) ?? outsider;

  it('says of every route what it asks', () => {
    expect(document.operations.filter((operation) => ruleOf(operation) === undefined).map(({ name }) => name)).toEqual([]);
  });

  it('a credential that has ended, by itself or with its user, opens no route', async () => {
    const expired = await world.user('expired', { scopes: scopeSchema.options, tokenMs: -1_000 });
    const gone = await somebody('gone');
    await world.db.update(users).set({ deactivated_at: new Date() }).where(eq(users.id, gone.id));
    for (const { token } of [expired, gone]) {
      for (const operation of OPERATIONS) expect({ name: operation.name, code: (await refusal(requestOf(operation, secret, token))).code }).toEqual({ name: operation.name, code: 'unauthenticated' });
    }
  });

  it('a credential without a scope of a route is refused it, whoever it is of', async () => {
    for (const scope of scopeSchema.options) {
      const { token } = await somebody('a-admin', 'admin', { scopes: scopeSchema.options.filter((other) => other !== scope) });
      for (const operation of OPERATIONS.filter(({ security }) => security.some(({ bearer = [] }) => bearer.includes(scope)))) {
        const { code, detail } = await refusal(requestOf(operation, secret, token));
        expect({ name: operation.name, scope, code, detail }).toEqual({ name: operation.name, scope, code: 'forbidden', detail: expect.stringContaining(scope) });
      }
    }
  });

  it.each(ROLES.filter((role) => role !== 'admin'))('a %s is refused what is for administrators, and for moderators but as one of them', async (role) => {
    for (const operation of asking('administrator', ...(role === 'moderator' ? [] : (['moderator'] as const)))) {
      expect({ name: operation.name, code: (await refusal(requestOf(operation, secret, stranger(role).token))).code }).toEqual({ name: operation.name, code: 'forbidden' });
    }
  });

  it.each([['admin', ['administrator', 'moderator']], ['moderator', ['moderator']]] as const)('a %s is refused nothing of what is for %j', async (role, rules) => {
    for (const operation of asking(...rules)) {
      const { status } = await rawRequest(world.baseUrl, requestFor(operation, {}, stranger(role).token));
      expect({ name: operation.name, refused: status === 401 || status === 403 }).toEqual({ name: operation.name, refused: false });
    }
  });

  it.each(ROLES)('to a %s who is no member a private channel is none', async (role) => {
    for (const operation of OF_CHANNELS) {
      const hidden = await refusal(requestOf(operation, secret, stranger(role).token));
      expect({ name: operation.name, ...hidden }).toEqual({ name: operation.name, ...(await refusal(requestOf(operation, uuidv7(), stranger(role).token))) });
      expect({ name: operation.name, code: hidden.code }).toEqual({ name: operation.name, code: 'not_found' });
    }
  });

  it('a public channel is none to a guest, and to others who are no members no conversation', async () => {
    const { id: open } = await owner.api.createChannel({ name: 'open', kind: 'public', topic: '' });
    for (const operation of OF_CHANNELS) {
      const hidden = await refusal(requestOf(operation, open, stranger('guest').token));
      expect({ name: operation.name, ...hidden }).toEqual({ name: operation.name, ...(await refusal(requestOf(operation, uuidv7(), stranger('guest').token))) });
      expect({ name: operation.name, code: hidden.code }).toEqual({ name: operation.name, code: 'not_found' });
    }
    for (const operation of asking('reader', 'manager').filter(({ path }) => path.startsWith('/v1/channels/{id}'))) {
      const { status, code } = await refusal(requestFor(operation, { ...namesOf(operation, open), user_id: owner.id }, stranger('member').token));
      expect({ name: operation.name, status, code }).toEqual({ name: operation.name, status: 403, code: expect.stringMatching(/^(not_a_member|forbidden)$/) });
    }
  });

  it('a member who manages it not is refused its management, and its owner is not', async () => {
    for (const operation of asking('manager')) {
      const { id } = await owner.api.createChannel({ name: `managed-${uuidv7()}`, kind: 'private', topic: '' });
      expect((await addTo(id, stranger('member'))).status).toBe(201);
      const names = { ...namesOf(operation, id), user_id: owner.id };
      expect({ name: operation.name, code: (await refusal(requestFor(operation, names, stranger('member').token))).code }).toEqual({ name: operation.name, code: 'forbidden' });
      const { status } = await rawRequest(world.baseUrl, requestFor(operation, { ...names, user_id: stranger('member').id }, owner.token));
      expect({ name: operation.name, refused: status === 401 || status === 403 }).toEqual({ name: operation.name, refused: false });
    }
  });

  it.each(ROLES)('what is of somebody else is to a %s as if it were not', async (role) => {
    const things = await thingsOf(owner);
    for (const operation of asking('owner').filter(({ name }) => role !== 'admin' || !OPEN_TO_ADMINISTRATORS.has(name))) {
      const id = Object.entries(things).find(([prefix]) => operation.path.startsWith(prefix))?.[1];
      if (id === undefined) throw new Error(`${operation.name} names a thing that nobody makes here`);
      const token = stranger(role).token;
      const theirs = await refusal(requestFor(operation, { id, message_id: id, channel_id: id }, token));
      expect({ name: operation.name, ...theirs }).toEqual({ name: operation.name, ...(await refusal(requestFor(operation, { id: uuidv7() }, token))) });
      expect({ name: operation.name, code: theirs.code }).toEqual({ name: operation.name, code: 'not_found' });
    }
  });
});

/** One of each thing that people have for themselves, by the beginning of its paths. */
async function thingsOf(user: WorldUser): Promise<Record<string, string>> {
  const make = async (path: string, type: string, body: string, method = 'POST'): Promise<string> => {
    const headers = { authorization: `Bearer ${user.token}`, 'content-type': type, 'content-length': String(body.length) };
    const { status, text } = await rawRequest(world.baseUrl, { method, path, headers, body });
    // Of some things there is one, however often it is asked for.
    expect({ path, text, made: status === 200 || status === 201 }).toMatchObject({ made: true });
    return z.looseObject({ id: z.string() }).parse(JSON.parse(text)).id;
  };
  return {
    '/v1/messages/': message,
    '/v1/me/saved/': message,
    '/v1/files/': await make(`/v1/files?channel_id=${secret}&name=a.txt`, 'text/plain', 'a'),
    '/v1/direct-channels/': await make('/v1/direct-channels', 'application/json', JSON.stringify({ user_ids: [] })),
    '/v1/invitations/': await make('/v1/invitations', 'application/json', JSON.stringify({ channel_ids: [secret] })),
    '/v1/webhooks/': await make('/v1/webhooks', 'application/json', JSON.stringify({ url: 'https://example.com/', event_types: ['message.created'] })),
    '/v1/me/drafts/': secret,
    '/v1/me/scheduled-messages/': await make(
      `/v1/channels/${secret}/scheduled-messages`, 'application/json', JSON.stringify({ text: 'a', send_at: new Date(Date.now() + 3_600_000).toISOString() }),
    ),
    '/v1/me/push-subscriptions/': await make('/v1/me/push-subscriptions', 'application/json', JSON.stringify({
      endpoint: 'https://push.example.net/access',
      keys: { p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4', auth: 'BTBZMqHH6r4Tts7J_aSIgg' },
    }), 'PUT'),
    '/v1/me/credentials/': await make('/v1/me/tokens', 'application/json', JSON.stringify({ name: 'a' })),
  };
}

describe('live access ends before the call returns that ends it (G5)', () => {
  const add = (user: WorldUser) => addTo(secret, user);

  it('by removal', async () => {
    expect((await add(member)).status).toBe(201);
    const socket = await openRawSocket(world.baseUrl, secret, member.token);
    await owner.api.send(secret, { client_msg_id: 'for-both', text: 'for both' });
    await expect.poll(() => socket.live().length).toBeGreaterThan(0);

    const removed = await rawRequest(world.baseUrl, { method: 'DELETE', path: `/v1/channels/${secret}/members/${member.id}`, headers: { authorization: `Bearer ${owner.token}` } });
    expect(removed.status).toBe(204);
    socket.socket.send(JSON.stringify({ type: 'send', id: 'late', client_msg_id: 'late', text: 'late' }));
    await owner.api.send(secret, { client_msg_id: 'for-one', text: 'for one' });
    expect(await socket.closed).toBe(4003);
    const texts = socket.live().flatMap((event) => (event.type === 'message.created' ? [event.text] : []));
    expect(texts).toEqual(['for both']);
    for (const operation of OF_CHANNELS) expect({ ...operation, code: (await refusal(requestOf(operation, secret, member.token))).code }).toEqual({ ...operation, code: 'not_found' });
    await expect.poll(async () => (await owner.api.history(secret)).data.map(({ text }) => text)).toEqual(['nobody else may read this', 'for both', 'for one']);
  });

  it('by signing out', async () => {
    const session = await world.user('bob');
    expect((await add(session)).status).toBe(201);
    const socket = await openRawSocket(world.baseUrl, secret, session.token);
    const { ticket } = await session.api.socketTicket();
    await session.api.logout();
    socket.socket.send(JSON.stringify({ type: 'send', id: 'late', client_msg_id: 'late', text: 'late' }));
    await owner.api.send(secret, { client_msg_id: 'after-logout', text: 'after logout' });
    expect(await socket.closed).toBe(4001);
    expect(socket.live().filter(({ type }) => type === 'message.created')).toEqual([]);
    for (const operation of OPERATIONS) expect((await refusal(requestOf(operation, secret, session.token))).code).toBe('unauthenticated');
    const headers = { ...HANDSHAKE, 'sec-websocket-protocol': `${HANDSHAKE['sec-websocket-protocol']}, colink.ticket.${ticket}` };
    expect((await refusal({ method: 'GET', path: `/v1/channels/${secret}/socket`, headers })).code).toBe('unauthenticated');
    // Another session of the same person is none of its business.
    expect((await member.api.history(secret)).data.at(-1)?.text).toMatch(/for one|after logout/);
  });

  it('by the end of the token', async () => {
    const brief = await world.user('bob', { tokenMs: 8_000 });
    const socket = await openRawSocket(world.baseUrl, secret, brief.token);
    await sleep(8_000);
    await owner.api.send(secret, { client_msg_id: 'after-the-end', text: 'after the end' });
    expect(await socket.closed).toBe(4001);
    expect(socket.live()).toEqual([]);
    expect((await refusal({ method: 'GET', path: '/v1/me', headers: { authorization: `Bearer ${brief.token}` } })).code).toBe('unauthenticated');
  });
});
