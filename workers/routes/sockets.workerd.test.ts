import { exports } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import { socketTicketSchema } from '../../protocol/api.ts';
import { problemSchema } from '../../protocol/errors.ts';
import { inboxServerFrameSchema, serverFrameSchema, type InboxServerFrame, type ServerFrame } from '../../protocol/frames.ts';
import { soon } from '../../tests/support/soon.ts';
import { bodyOf, expectProblem, fetchApi, newCaller, newChannel, newToken, ORIGIN, send, type Caller } from '../api-fixture.ts';

interface Opened {
  readonly response: Response;
  readonly frames: ServerFrame[];
  readonly socket: WebSocket | null;
  readonly closed: Promise<number>;
}

async function open(channelId: string, headers: Record<string, string>, query = ''): Promise<Opened> {
  const response = await exports.default.fetch(new Request(`${ORIGIN}/v1/channels/${channelId}/socket${query}`, { headers: { Upgrade: 'websocket', ...headers } }));
  const frames: ServerFrame[] = [];
  const socket = response.webSocket;
  const closed = new Promise<number>((resolve) => socket?.addEventListener('close', ({ code }) => resolve(code)));
  const decoder = new TextDecoder();
  socket?.addEventListener('message', ({ data }) => {
    frames.push(serverFrameSchema.parse(JSON.parse(typeof data === 'string' ? data : decoder.decode(data))));
  });
  socket?.accept();
  return { response, frames, socket, closed };
}

const bearer = ({ token }: Caller) => ({ Authorization: `Bearer ${token}` });
const ticketOf = async (caller: Caller) => bodyOf(await caller.call('POST', '/v1/socket-tickets'), 201, socketTicketSchema).ticket;
const offering = (ticket: string, origin = ORIGIN) => ({ 'Sec-WebSocket-Protocol': `colink.v1, colink.ticket.${ticket}`, Origin: origin });
const codeOf = async ({ response }: Opened) => problemSchema.parse(await response.json()).code;

let ada: Caller;
let id: string;
beforeAll(async () => {
  ada = await newCaller();
  ({ id } = await newChannel(ada));
});

describe('a channel\'s socket', () => {
  it('opens for a bearer and brings events from the cursor', async () => {
    const { seq } = await send(ada, id, 'before');
    const { frames, socket, response } = await open(id, { ...bearer(ada), 'Sec-WebSocket-Protocol': 'colink.v1' }, `?epoch=1&since=${(seq ?? 1) - 1}`);
    expect(response.headers.get('sec-websocket-protocol')).toBe('colink.v1');
    await send(ada, id, 'after');
    await soon(() => expect(frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []))).toMatchObject([{ text: 'before' }, { text: 'after' }]));
    expect(frames[0]).toMatchObject({ type: 'welcome', recovered: true });
    socket?.close(1000);
  });

  it('opens for a ticket, once, and answers colink.v1 only', async () => {
    const ticket = await ticketOf(ada);
    const first = await open(id, offering(ticket));
    expect([first.response.status, first.response.headers.get('sec-websocket-protocol')]).toEqual([101, 'colink.v1']);
    expect(await codeOf(await open(id, offering(ticket)))).toBe('unauthenticated');
    first.socket?.close(1000);
  });

  it.each(['https://evil.example', 'null', `${ORIGIN}.evil.example`])('G5: refuses a ticket from the page of %s, and leaves it unused', async (origin) => {
    const ticket = await ticketOf(ada);
    expect(await codeOf(await open(id, offering(ticket, origin)))).toBe('forged_origin');
    const { response, socket } = await open(id, offering(ticket));
    expect(response.status).toBe(101);
    socket?.close(1000);
  });

  it.each(['', 'x', `${'0'.repeat(32)}abc`])('refuses the forged ticket %j', async (ticket) => {
    expect(await codeOf(await open(id, offering(ticket)))).toBe('unauthenticated');
  });

  it('refuses a cookie without a ticket, and a token that may not write', async () => {
    const session = await newToken(ada.user, { kind: 'session' });
    expect(await codeOf(await open(id, { Cookie: `__Host-colink=${session.token}` }))).toBe('unauthenticated');
    expect(await codeOf(await open(id, bearer(await newToken(ada.user, { scopes: ['messages:read'] }))))).toBe('forbidden');
    expectProblem(await (await newToken(ada.user, { scopes: ['messages:write'] })).call('POST', '/v1/socket-tickets'), 'forbidden');
  });

  it('tells who is no member, what is no channel and what is no socket', async () => {
    const bob = await newCaller();
    expect(await codeOf(await open(id, bearer(bob)))).toBe('not_a_member');
    expect(await codeOf(await open((await newChannel(ada, 'private')).id, bearer(bob)))).toBe('not_found');
    expect(await codeOf(await open(uuidv7(), bearer(ada)))).toBe('not_found');
    expect(await codeOf(await open(id, bearer(ada), '?since=1'))).toBe('invalid');
    expect((await fetchApi(`/v1/channels/${id}/socket`, { headers: bearer(ada) })).status).toBe(426);
  });

  it('takes no word of the client for who it is', async () => {
    const bob = await newCaller();
    const forged = JSON.stringify({ channel_id: id, actor: { user_id: ada.user.id, credential_id: ada.credentialId, expires_at: Date.now() + 60_000 }, since: null });
    expect(await codeOf(await open(id, { ...bearer(bob), 'colink-socket-request': forged }))).toBe('not_a_member');
  });
});

async function openInbox(headers: Record<string, string>, query = ''): Promise<{ response: Response; frames: InboxServerFrame[]; socket: WebSocket | null }> {
  const response = await exports.default.fetch(new Request(`${ORIGIN}/v1/me/socket${query}`, { headers: { Upgrade: 'websocket', ...headers } }));
  const frames: InboxServerFrame[] = [];
  const socket = response.webSocket;
  socket?.addEventListener('message', ({ data }) => {
    frames.push(inboxServerFrameSchema.parse(JSON.parse(String(data))));
  });
  socket?.accept();
  return { response, frames, socket };
}

describe('the socket of an inbox', () => {
  it('opens for a bearer, and for a ticket once, with what is unread (P2, P3)', async () => {
    const [byToken, ticket] = [await openInbox(bearer(ada)), await ticketOf(ada)];
    // Events of before may come, too.
    await soon(() => expect(byToken.frames.filter(({ type }) => type !== 'events')).toMatchObject([{ type: 'welcome', recovered: false }, { type: 'badges', full: true, badges: [] }]));
    const byTicket = await openInbox(offering(ticket));
    expect([byTicket.response.status, byTicket.response.headers.get('sec-websocket-protocol')]).toEqual([101, 'colink.v1']);
    expect((await openInbox(offering(ticket))).response.status).toBe(401);
    for (const { socket } of [byToken, byTicket]) socket?.close(1000);
  });

  it('G5: is refused like a channel\'s (P1, P2, P4, P7)', async () => {
    expect((await openInbox({})).response.status).toBe(401);
    expect((await openInbox(offering(await ticketOf(ada), 'https://evil.example'))).response.status).toBe(403);
    expect((await openInbox(bearer(await newToken(ada.user, { scopes: ['messages:read'] })))).response.status).toBe(403);
    expect((await openInbox(bearer(ada), '?since=1')).response.status).toBe(422);
    expect((await fetchApi('/v1/me/socket', { headers: bearer(ada) })).status).toBe(426);
  });

  it('brings memberships before the call that changed them returns, and markers of other devices', async () => {
    const bob = await newCaller();
    const { frames, socket } = await openInbox(bearer(bob));
    const { id: joined } = await newChannel(ada);
    for (const text of ['1', '2', '3', '4']) await send(ada, joined, text);
    await bob.call('PUT', `/v1/channels/${joined}/members/me`);
    await bob.call('PUT', `/v1/channels/${joined}/read-state`, { read_pos: 4 });
    await bob.call('DELETE', `/v1/channels/${joined}/members/me`);
    expectProblem(await bob.call('PUT', `/v1/channels/${joined}/read-state`, { read_pos: 5 }), 'not_a_member');
    await soon(() => expect(frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []))).toMatchObject([
      { seq: 1, type: 'channel.joined', channel_id: joined, role: 'member', actor_id: bob.user.id },
      { seq: 2, type: 'read.moved', channel_id: joined, read_pos: 4 },
      { seq: 3, type: 'channel.left', channel_id: joined, actor_id: bob.user.id },
    ]));
    socket?.close(1000);
  });

  it('G5: takes no word of the client for who it is', async () => {
    const bob = await newCaller();
    const forged = JSON.stringify({ actor: { user_id: ada.user.id, credential_id: ada.credentialId, expires_at: Date.now() + 60_000 }, since: null });
    const { response, frames, socket } = await openInbox({ ...bearer(bob), 'colink-socket-request': forged });
    const { seq } = await send(ada, id, 'x');
    expect([response.status, seq]).toEqual([101, expect.any(Number)]);
    await ada.call('PUT', `/v1/channels/${id}/read-state`, { read_pos: 1 });
    socket?.close(1000);
    expect(frames.filter(({ type }) => type === 'events')).toEqual([]);
  });
});

describe('logout', () => {
  it('G5: ends sockets, sends, reads and tickets before it returns (P36)', async () => {
    const session = await newToken(ada.user, { kind: 'session' });
    const cookie = { Cookie: `__Host-colink=${session.token}`, Origin: ORIGIN };
    const [opened, ticket] = [await open(id, bearer(session)), await ticketOf(session)];
    const inbox = await openInbox(bearer(session));
    const inboxClosed = new Promise<number>((resolve) => inbox.socket?.addEventListener('close', ({ code }) => resolve(code)));
    const logout = await fetchApi('/auth/logout', { method: 'POST', headers: cookie });
    expect([logout.status, logout.headers.get('set-cookie')]).toEqual([204, expect.stringMatching(/^__Host-colink=; Max-Age=0;.* HttpOnly; Secure; SameSite=Lax$/)]);
    expect([await opened.closed, await inboxClosed]).toEqual([4001, 4001]);
    for (const path of ['/v1/me', `/v1/channels/${id}/messages`]) expect((await session.call('GET', path)).status).toBe(401);
    expect((await session.call('POST', `/v1/channels/${id}/messages`, { client_msg_id: 'x', text: 'x' })).status).toBe(401);
    expect(await codeOf(await open(id, offering(ticket)))).toBe('unauthenticated');
    expect((await ada.call('GET', '/v1/me')).status).toBe(200);
    expect((await fetchApi('/auth/logout', { method: 'POST', headers: cookie })).status).toBe(204);
  });

  it('is not for others to cause', async () => {
    const session = await newToken(ada.user, { kind: 'session' });
    const forged = await fetchApi('/auth/logout', { method: 'POST', headers: { Cookie: `__Host-colink=${session.token}`, Origin: 'https://evil.example' } });
    expect([forged.status, (await session.call('GET', '/v1/me')).status]).toEqual([403, 200]);
    expect((await fetchApi('/auth/logout', { method: 'POST' })).status).toBe(401);
  });
});
